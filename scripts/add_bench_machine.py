"""Add what `python -m bench.speed --json FILE` found on another machine, and draw the page again.

Usage: python scripts/add_bench_machine.py FILE [--pages docs/benchmarks]
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
    parser.add_argument("file", type=Path)
    parser.add_argument("--pages", type=Path, default=ROOT / "docs/benchmarks")
    given = parser.parse_args()
    try:
        pages.add(result.load(given.file), given.pages, print)
    except (result.BadResult, OSError) as error:
        print(f"{given.file}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
