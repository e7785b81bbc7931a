"""A simulation's figures as a person reads them in a terminal. Pure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence

from headrace.simulate.engine import Result
from headrace.simulate.figures import Figures
from headrace.topology.tree import aligned

_INDENT = "  "
_WIDTH = 80
_MOST_SITES = 30
_MOST_HAPPENINGS = 20
FULLEST_ABOVE = "fullest: its fullest server; above: how long it was above its target"


def summary(result: Result, figures: Figures) -> Iterator[str]:
    """Yield the lines."""
    if result.title:
        yield result.title
        yield ""
    yield from _noted(summary_rows(figures))
    yield ""
    sites = sorted(figures.sites, key=lambda one: -one.peak_load)
    priced = any(one.cost for one in sites)
    rows = [
        (
            "site", "kind", "peak", "load", "mean", "fullest", "above", "hits",
            *(("cost",) if priced else ()),
        )
    ]  # fmt: skip
    rows += [
        (
            one.name, one.kind, rate(one.peak_bps), percent(one.peak_load), percent(one.mean_load),
            percent(one.fullest_server), span(one.above_target_s), percent(one.hit_ratio),
            *((money(one.cost),) if priced else ()),
        )
        for one in sites[:_MOST_SITES]
    ]  # fmt: skip
    yield from table(rows)
    yield FULLEST_ABOVE
    if len(sites) > _MOST_SITES:
        yield f"and {len(sites) - _MOST_SITES} sites more"
    if result.happenings:
        yield ""
        for one in result.happenings[:_MOST_HAPPENINGS]:
            yield f"{clock(one.at_s)}{_INDENT}{one.text}"
        if len(result.happenings) > _MOST_HAPPENINGS:
            yield f"and {len(result.happenings) - _MOST_HAPPENINGS} events more"


def _noted(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Yield rows whose last cell is broken where a line of a terminal ends."""
    broken: list[tuple[str, str, str]] = []
    taken = sum(max(len(row[place]) for row in rows) + len(_INDENT) for place in (0, 1))
    for name, value, text in rows:
        first, *more = textwrap.wrap(text, _WIDTH - taken) or [""]
        broken += [(name, value, first), *(("", "", line) for line in more)]
    return table(broken)


def summary_rows(one: Figures) -> list[tuple[str, str, str]]:
    """Return the figures of the whole network: name, value and what it says."""
    rows = [
        (
            "requests",
            f"{one.requests:,}",
            f"of {one.sessions:,} sessions that began" if one.sessions else "",
        ),
        ("sent", size(one.client_bytes), f"to clients, {rate(one.peak_bps)} at the height"),
        (
            "hits",
            percent(one.edge_hit_ratio),
            f"in the first server, {percent(one.site_hit_ratio)} in its site, "
            f"{percent(one.mid_hit_ratio)} of what sites above were asked",
        ),
        (
            "origins",
            f"{one.origin_requests:,}",
            f"requests, {size(one.origin_bytes)}, {rate(one.origin_peak_bps)} at the height: "
            f"{percent(one.origin_offload)} of the bytes came from elsewhere",
        ),
        (
            "balance",
            f"{one.balance:.2f}",
            "mean load of edge sites beside the fullest, at the height",
        ),
        ("settled", span(one.settled_s), "until traffic was at rest, after the slowest event"),
        (
            "waiting",
            f"{one.rebuffering:.2%}",
            f"of the time, {one.failed:,} requests in vain, {one.gave_up:,} viewers gave up",
        ),
        (
            "moved",
            f"{one.moved_clients:,}",
            f"moves of client networks to another site, each shard {one.moved_keys:.2f} times to "
            f"another server, in {one.views:,} views",
        ),
    ]
    if one.external_requests:
        rows.append(("external", f"{one.external_requests:,}", "requests served by other CDNs"))
    if one.cost:
        sites = math.fsum(site.cost for site in one.sites)
        text = f"{money(sites)} of sites, {money(one.cost - sites)} of origins"
        rows.append(("cost", money(one.cost), text))
    return rows


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines, their cells below each other."""
    for row in aligned(rows):
        yield _INDENT.join(row).rstrip()


def money(amount: float) -> str:
    """Return an amount of whatever currency prices are in."""
    return f"{amount:,.2f}"


def percent(share: float) -> str:
    """Return a share as a person reads it."""
    return f"{100 * share:.1f} %"


def rate(bps: float) -> str:
    """Return a bit rate as a person reads it."""
    return _scaled(bps, "bit/s")


def size(size_bytes: float) -> str:
    """Return bytes as a person reads them."""
    return _scaled(size_bytes, "B")


def _scaled(value: float, unit: str) -> str:
    for prefix in ("", "k", "M", "G", "T"):
        if abs(value) < 1000:
            return f"{value:.3g} {prefix}{unit}"
        value /= 1000
    return f"{value:,.3g} P{unit}"


def clock(at_s: float) -> str:
    """Return a time since the beginning."""
    minutes, seconds = divmod(round(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def span(length_s: float) -> str:
    """Return how long something was."""
    if not length_s:
        return "-"
    if length_s < 120:
        return f"{length_s:.0f} s"
    return f"{length_s / 60:.0f} min" if length_s < 7200 else f"{length_s / 3600:.1f} h"
