"""Add what `python -m bench.speed --json FILE` found on another machine to the page of speed.

A machine of the same name is replaced. Pictures are drawn where matplotlib is installed
(requirements/bench.txt). Run it with the Python of the tree's environment: .venv/bin/python.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.speed import pages, result  # noqa: E402 - found from the line above


def main() -> int:
    """Exit code 2 when the file is not a result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="what --json wrote")
    parser.add_argument("--pages", type=Path, default=ROOT / "docs/benchmarks", metavar="DIR",
                        help="directory of speed.md (default: docs/benchmarks)")  # fmt: skip
    given = parser.parse_args()
    try:
        pages.add(result.load(given.file), given.pages, print)
    except (result.BadResult, OSError) as error:
        print(f"{given.file}: {error}", file=sys.stderr)
        return 2
    print(f"{given.pages / pages.PAGE} is written again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
