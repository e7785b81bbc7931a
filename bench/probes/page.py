"""The page of what probes and reports cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.probes.measure import Probed, Reported

_HEAD = """\
# Probes and reports

One feedback process, held to one processor core, probes light servers on loopback once each second:
connect, TLS where it says so, request, whole body, its hash. The servers are in a process of their
own. *Late* is how much later than planned a probe began. Made by `python -m bench.probes`.

"""


def rows(probed: Mapping[str, Probed], reported: Sequence[Reported]) -> Iterator[str]:
    """Yield the two tables."""
    yield "| servers | probes a second | late, half | late, 99 % | late, most | core used | ended |"
    yield "|---|---|---|---|---|---|---|"
    for name, one in probed.items():
        ended = ", ".join(f"{count} {word}" for word, count in sorted(one.outcomes.items()))
        yield (
            f"| {one.servers}: {name} | {one.probes / one.seconds:,.0f} "
            f"| {one.late_p50_s * 1000:.1f} ms | {one.late_p99_s * 1000:.1f} ms "
            f"| {one.late_most_s * 1000:.1f} ms | {one.cpu_share:.0%} "
            f"| {ended}, {one.unmade} not made |"
        )
    yield ""
    yield "| workers | flows each | bytes | made in | read in |"
    yield "|---|---|---|---|---|"
    for report in reported:
        yield (
            f"| {report.workers} | {report.flows} | {report.size_bytes:,} "
            f"| {report.made_s * 1000:.2f} ms | {report.read_s * 1000:.2f} ms |"
        )


def page(probed: Mapping[str, Probed], reported: Sequence[Reported]) -> str:
    """Return the whole page."""
    return _HEAD + "\n".join(rows(probed, reported)) + "\n"
