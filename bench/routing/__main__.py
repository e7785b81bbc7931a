"""Measure redirects: `python -m bench.routing [--seconds S] [--output FILE]`.

The router and nginx run one after the other, each alone: one worker on one core, wrk on another.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.routing.report import report
from bench.routing.stand import (
    CLIENTS,
    WORKS,
    Figure,
    measure,
    start_nginx,
    start_router,
    start_trusting_router,
)
from bench.where import measured_on


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.routing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="a file for the page")
    options = parser.parse_args()
    text = report(run(options.seconds, options.rounds), measured_on())
    print(text)
    if options.output is not None:
        options.output.write_text(text)


def run(seconds: float, rounds: int) -> dict[str, dict[str, list[Figure]]]:
    """Return the figures of each round, by who answers and by what is asked."""
    found: dict[str, dict[str, list[Figure]]] = {}
    for _round in range(rounds):
        for who, start, works in (
            ("headrace", start_router, WORKS),
            ("headrace", start_trusting_router, (CLIENTS,)),
            ("nginx", start_nginx, WORKS),
        ):
            with tempfile.TemporaryDirectory() as directory:
                program, port = start(Path(directory))
                with program.stopped_at_end():
                    for work in works:
                        figure = measure(program, port, work, seconds)
                        found.setdefault(who, {}).setdefault(work.name, []).append(figure)
    return found


if __name__ == "__main__":
    main()
