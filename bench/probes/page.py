"""The page of what probes and reports cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.probes.measure import Probed, Reported

_HEAD = """\
# Probes and reports

Written by `python -m bench.probes`. One feedback process, on one processor core, probes light
servers on loopback once a second: connect, TLS where the table says so, request, whole body, its
hash. The servers are in a process of their own. *Late* is how much later than planned a probe
began.

"""
_REPORTS = "What it takes to make and to read a report of load, by a server's workers and flows:"


def rows(probed: Mapping[str, Probed], reported: Sequence[Reported]) -> Iterator[str]:
    """Yield the two tables."""
    yield "| servers | probes/s | late, median | late, p99 | late, at most | core used | results |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for name, one in probed.items():
        ended = ", ".join(f"{count} {word}" for word, count in sorted(one.outcomes.items()))
        yield (
            f"| {one.servers}: {name} | {one.probes / one.seconds:,.0f} "
            f"| {one.late_p50_s * 1000:.1f} ms | {one.late_p99_s * 1000:.1f} ms "
            f"| {one.late_most_s * 1000:.1f} ms | {one.cpu_share:.0%} "
            f"| {ended}, {one.unmade} skipped |"
        )
    yield ""
    yield _REPORTS
    yield ""
    yield "| workers | flows each | bytes | made in | read in |"
    yield "|--:|--:|--:|--:|--:|"
    for report in reported:
        yield (
            f"| {report.workers} | {report.flows} | {report.size_bytes:,} "
            f"| {report.made_s * 1000:.2f} ms | {report.read_s * 1000:.2f} ms |"
        )


def page(probed: Mapping[str, Probed], reported: Sequence[Reported], where: str) -> str:
    """Return the whole page. `where` says what the machine is, and the date."""
    return f"{_HEAD}{where}\n\n" + "\n".join(rows(probed, reported)) + "\n"
