"""Run the comparison: the full one writes docs/benchmarks/hashing.md, `--quick` only prints."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.hashing.measure import SKEW, hold, measure_all, zipf
from bench.hashing.report import report
from bench.where import measured_on

MIXES = {"10": (1,), "10, 40, 100": (1, 4, 10)}
REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "hashing.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.hashing", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer keys and servers")
    parser.add_argument("--output", type=Path, help="where to write the report")
    options = parser.parse_args()
    counts, many = ((10, 100), 10_000) if options.quick else ((10, 100, 1000), 100_000)
    output = options.output or (None if options.quick else REPORT)
    costs = list(measure_all(counts, many))
    demand = zipf(many)
    held = [
        hold([weights[number % len(weights)] for number in range(count)], mix, demand)
        for count in (4, *counts)
        for mix, weights in MIXES.items()
    ]
    text = report(costs, held, many, SKEW, measured_on())
    print(text)
    if output is not None:
        output.write_text(text)


if __name__ == "__main__":
    main()
