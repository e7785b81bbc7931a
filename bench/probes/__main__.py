"""Probe 1,000 light servers each second by one process on one core, and make reports of load: the
full run writes docs/benchmarks/probes.md, `--quick` only prints.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.probes import measure
from bench.probes.page import page, rows
from bench.where import measured_on

REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "probes.md"


def main() -> None:
    """Measure, and write or print."""
    parser = argparse.ArgumentParser(prog="python -m bench.probes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 seconds of each, only printed")
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    seconds = 5.0 if options.quick else options.seconds
    probed = {
        name: measure.probe(servers, seconds, tls=tls, faulty=faulty)
        for name, servers, tls, faulty in (
            ("HTTP", options.servers, False, False),
            ("HTTP, one in 25 hangs or is not there", options.servers, False, True),
            # The servers' side of so many handshakes takes the other processor.
            ("TLS, a full handshake each", options.servers // 2, True, False),
        )
    }
    reported = [measure.report(workers, flows) for workers, flows in ((1, 100), (8, 1000))]
    print("\n".join(rows(probed, reported)))
    if not options.quick:
        REPORT.write_text(page(probed, reported, measured_on()))


if __name__ == "__main__":
    main()
