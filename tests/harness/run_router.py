"""`headrace router` as a process of its own. `python -m tests.harness.run_router router.toml`."""

from __future__ import annotations

import sys

from headrace.cli.main import main

if __name__ == "__main__":
    sys.argv = ["headrace", "router", "--config", sys.argv[1]]
    main()
