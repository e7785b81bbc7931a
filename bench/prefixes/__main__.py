"""Look up clients among a million prefixes: the full run writes docs/benchmarks/prefixes.md,
`--quick` only prints.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from pathlib import Path

from bench.prefixes import measure
from bench.prefixes.report import report
from bench.prefixes.tables import prefixes, write_description
from bench.where import measured_on

FULL, QUICK = 1_000_000, 50_000
LOOK_UPS = 100_000
REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "prefixes.md"
WAYS = (measure.ours, measure.mapped, measure.by_length)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prefixes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} prefixes")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count = QUICK if options.quick else FULL
    table = prefixes(count, options.seed)
    # A process for each, that begins with nothing: what one left behind is not the next one's.
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        description = write_description(table, Path(folder))
        arguments = (description, table, LOOK_UPS, options.seed)
        results = []
        for way in WAYS:
            with fresh.Pool(1) as pool:
                results.append(pool.apply(way, arguments))
        with fresh.Pool(1) as pool:
            wrong = pool.apply(measure.disagreements, arguments)
    if wrong:
        raise SystemExit(f"{len(wrong)} addresses are found in different coverage: {wrong[:5]}")
    text = report(
        results, prefixes=count, look_ups=LOOK_UPS, seed=options.seed, where=measured_on()
    )
    print(text)
    if not options.quick:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
