"""Run the comparison: the full one writes docs/benchmarks/eviction.md, `--quick` only prints."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.eviction.policies import POLICIES
from bench.eviction.report import report
from bench.eviction.simulation import run_all
from bench.eviction.traces import Scale

FULL = Scale(requests=200_000, titles=20_000)
QUICK = Scale(requests=20_000, titles=2_000)
REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "eviction.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.eviction", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--output", type=Path, help="where to write the report (the full run has a default)"
    )
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    output = options.output or (None if options.quick else REPORT)

    began = time.perf_counter()
    results = list(run_all(POLICIES, seed=options.seed, scale=scale))
    text = report(results, seed=options.seed, scale=scale)
    print(text)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text)
    print(f"{len(results)} runs in {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
