"""`headrace router` as a process of its own. `python -m tests.harness.run_router router.toml`."""

from __future__ import annotations

import sys

from headrace.cli.main import main as run_headrace


def main(argument: str) -> None:
    sys.argv = ["headrace", "router", "--config", argument]
    run_headrace()


if __name__ == "__main__":
    main(sys.argv[1])
