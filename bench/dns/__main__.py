"""Measure DNS answers: `python -m bench.dns [--seconds S] [--rounds N] [--output FILE]`.

The router, Knot and PowerDNS run one after the other, each alone: one worker on one core, the
questions from another.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from bench.dns.load import WORKS, Figure
from bench.dns.report import report
from bench.dns.servers import SERVERS
from bench.where import measured_on


def main() -> None:
    """Measure, print, and write the page where one is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.dns", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="a file for the page")
    options = parser.parse_args()
    found = run(options.seconds, options.rounds)
    text = report(found, os.getloadavg()[0], os.cpu_count() or 1, measured_on())
    print(text)
    if options.output is not None:
        options.output.write_text(text)


def run(seconds: float, rounds: int) -> dict[str, dict[str, list[Figure]]]:
    """Return the figures of each round, by who answers and by what is asked."""
    found: dict[str, dict[str, list[Figure]]] = {who: {} for who in SERVERS}
    for _round in range(rounds):
        for who, start in SERVERS.items():
            with tempfile.TemporaryDirectory() as directory:
                program, port = start(Path(directory))
                with program.stopped_at_end():
                    for work, measure in WORKS.items():
                        figure = measure(program, port, seconds, Path(directory))
                        found[who].setdefault(work, []).append(figure)
    return found


if __name__ == "__main__":
    main()
