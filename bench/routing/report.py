"""The figures as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.network import PREFIXES, SERVERS_EACH, SITES
from bench.routing.stand import CLIENTS, WORKS, Figure

LEAST_RATIO, LEAST_PER_S = 0.6, 20_000


def report(found: Mapping[str, Mapping[str, Sequence[Figure]]]) -> str:
    """Return the page: medians over the rounds."""
    lines = [
        "# Redirects beside nginx",
        "",
        "What a redirect of a router costs, beside nginx returning one fixed 302. Each runs alone,",
        "one worker on one core; the load comes from another over 64 connections. The ratio is",
        "nginx's processor time for an answer by the router's: 1 would be as little. The network",
        f"has {SITES} sites of {SERVERS_EACH} servers and {PREFIXES:,} prefixes.",
        "",
        "`python -m bench.routing --output docs/benchmarks/redirects.md` measures it again.",
        "",
        "| asked for | redirects/s | µs each | nginx/s | nginx µs each | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for work in (*WORKS, CLIENTS):
        own = found["headrace"][work.name]
        beside = found["nginx"].get(work.name) or found["nginx"][WORKS[-1].name]
        ours, theirs = _median(own), _median(beside)
        lines.append(
            f"| {work.meaning} | {ours.per_s:,.0f} | {ours.cpu_us:.1f} | {theirs.per_s:,.0f} "
            f"| {theirs.cpu_us:.1f} | {theirs.cpu_us / ours.cpu_us:.2f} |"
        )
    lines += ["", f"Wanted: a ratio of {LEAST_RATIO} and {LEAST_PER_S:,} a second.", ""]
    return "\n".join(lines)


def _median(figures: Sequence[Figure]) -> Figure:
    return Figure(
        median(figure.per_s for figure in figures), median(figure.cpu_us for figure in figures)
    )
