"""The figures as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.dns.load import Figure
from bench.dns.zone import NAMES
from bench.network import PREFIXES, SERVERS_EACH, SITES

LEAST_OF_KNOT, LEAST_OF_POWERDNS, LEAST_PER_S = 0.5, 0.7, 60_000
MEANINGS = {
    "names": f"{NAMES:,} names, one client subnet (dnsperf)",
    "known": f"{PREFIXES:,} client subnets that have asked before, letters in mixed case",
    "new": "client subnets that have never asked, letters in mixed case",
}

Found = Mapping[str, Mapping[str, Sequence[Figure]]]


def report(found: Found, load: float, processors: int, where: str) -> str:
    """Return the page: medians over the rounds. `load` is the machine's load average at the end,
    `where` says what it is and when it was measured.
    """
    lines = [
        "# DNS answers beside Knot and PowerDNS",
        "",
        "The router decides each answer for the client's subnet; the other name servers answer",
        "from a static zone. Each runs alone, one worker on one core; the questions come from",
        "another core. A ratio is the other server's processor time for an answer, divided by the",
        f"router's: above 1, the router takes less. The network has {SITES} sites of",
        f"{SERVERS_EACH} servers and {PREFIXES:,} prefixes. The machine has {processors} cores;",
        f"its load was {load:.1f} at the end: above {processors}, other programs had a part of",
        "them, and only ratios count.",
        "",
        where,
        "",
        "`python -m bench.dns --output docs/benchmarks/dns.md` measures it again.",
        "",
        "| asked for | answers/s | µs each | Knot, µs | ratio to Knot | PowerDNS, µs "
        "| ratio to PowerDNS |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for work, meaning in MEANINGS.items():
        own, knot, powerdns = (_median(found[who][work]) for who in found)
        lines.append(
            f"| {meaning} | {own.per_s:,.0f} | {own.cpu_us:.1f} "
            f"| {knot.cpu_us:.1f} | {knot.cpu_us / own.cpu_us:.2f} "
            f"| {powerdns.cpu_us:.1f} | {powerdns.cpu_us / own.cpu_us:.2f} |"
        )
    lines += [
        "",
        f"The aims: ratios of {LEAST_OF_KNOT} and {LEAST_OF_POWERDNS} at least, and "
        f"{LEAST_PER_S:,} answers a second.",
        "",
    ]
    return "\n".join(lines)


def _median(figures: Sequence[Figure]) -> Figure:
    return Figure(median(each.per_s for each in figures), median(each.cpu_us for each in figures))
