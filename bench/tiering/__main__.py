"""What sharding and tiering save the origin: `python -m bench.tiering [--quick]`.

A site of four real edges, each with a store for a quarter of the catalogue, is asked the same
requests four times: with and without a router that sends clients to a shard's owner, with and
without servers that ask each other. The full run writes docs/benchmarks/tiering.md and
tiering.json.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.harness.edge import HOST

from bench.tiering.clients import ask_all, count_at
from bench.tiering.report import Row, as_json, as_page
from bench.tiering.stand import Stand, standing
from bench.tiering.trace import Arrangement, Known, Request, Scale, requests

FULL = Scale(objects=50_000, requests=250_000, warm_up=200_000)
QUICK = Scale(objects=2_000, requests=8_000, warm_up=4_000)
OUTPUT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.tiering", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 objects, printed only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="a directory for the page and its figures")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    output = options.output or (None if options.quick else OUTPUT)
    rows, wrong = [], 0
    with tempfile.TemporaryDirectory(prefix="headrace-tiering-") as directory:
        for arrangement in Arrangement:
            began = time.perf_counter()
            row = measured(Path(directory) / arrangement.name, scale, arrangement, options.seed)
            rows.append(row)
            wrong += row.wrong
            spent_s = time.perf_counter() - began
            print(f"{row.line()}, in {spent_s:.0f} s", file=sys.stderr)
    page = as_page(rows, scale, options.seed)
    print(page)
    if output is not None:
        (output / "tiering.md").write_text(page)
        (output / "tiering.json").write_text(as_json(rows, scale, options.seed))
    return 1 if wrong else 0


def measured(directory: Path, scale: Scale, arrangement: Arrangement, seed: int) -> Row:
    """Return what one arrangement asked of its origin once the stores were full."""
    with standing(directory, scale, tiers=arrangement.tiers) as stand:
        asked = requests(scale, arrangement, stand.site.topology, HOST.encode(), seed)
        return asyncio.run(_run(stand, asked, scale, arrangement))


async def _run(
    stand: Stand, asked: Iterator[Request], scale: Scale, arrangement: Arrangement
) -> Row:
    known = Known()
    first = itertools.islice(known.noted(asked), scale.warm_up)
    warm = await ask_all(first, stand.site.places, HOST, scale.body_bytes)
    before, known_before = await count_at(stand.origin_port), len(known.numbers)
    seen = await ask_all(known.noted(asked), stand.site.places, HOST, scale.body_bytes)
    at_origin = await count_at(stand.origin_port) - before
    wrong = [*warm.wrong, *seen.wrong]
    for line in wrong[:5]:
        print(f"wrong: {line}", file=sys.stderr)
    first_asked = len(known.numbers) - known_before
    return Row(arrangement, seen.requests, seen.hits, at_origin, first_asked, len(wrong))


if __name__ == "__main__":
    sys.exit(main())
