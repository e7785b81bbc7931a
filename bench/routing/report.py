"""The figures as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.network import PREFIXES, SERVERS_EACH, SITES
from bench.routing.stand import CLIENTS, WORKS, Figure

LEAST_RATIO, LEAST_PER_S = 0.6, 20_000


def report(found: Mapping[str, Mapping[str, Sequence[Figure]]], where: str) -> str:
    """Return the page: medians over the rounds. `where` says what the machine is, and the date."""
    lines = [
        "# Redirects beside nginx",
        "",
        "What a router's redirect costs, beside nginx, which decides nothing and returns one fixed",
        "302. Each runs alone, one worker on one core; the load comes from another over 64",
        "connections. The ratio is nginx's processor time for an answer, divided by the router's:",
        "above 1, the router takes less. The network has",
        f"{SITES} sites of {SERVERS_EACH} servers and {PREFIXES:,} prefixes.",
        "",
        where,
        "",
        "`python -m bench.routing --output docs/benchmarks/redirects.md` measures it again.",
        "",
        "| asked for | redirects/s | µs each | nginx/s | nginx, µs each | ratio |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for work in (*WORKS, CLIENTS):
        own = found["headrace"][work.name]
        beside = found["nginx"].get(work.name) or found["nginx"][WORKS[-1].name]
        ours, theirs = _median(own), _median(beside)
        ratio = f"{theirs.cpu_us / ours.cpu_us:.2f}"
        lines.append(
            f"| {work.meaning} | {ours.per_s:,.0f} | {ours.cpu_us:.1f} | {theirs.per_s:,.0f} "
            f"| {theirs.cpu_us:.1f} | {ratio if float(ratio) >= LEAST_RATIO else f'**{ratio}**'} |"
        )
    lines += [
        "",
        f"The aims: a ratio of {LEAST_RATIO} at least (lower ones are bold), and {LEAST_PER_S:,} a "
        "second.",
        "",
    ]
    return "\n".join(lines)


def _median(figures: Sequence[Figure]) -> Figure:
    return Figure(
        median(figure.per_s for figure in figures), median(figure.cpu_us for figure in figures)
    )
