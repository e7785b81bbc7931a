"""Two simulations beside each other: what would have been different. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from headrace.simulate.figures import Figures, SiteFigures
from headrace.simulate.replay import Moves
from headrace.simulate.summary import FULLEST_ABOVE, money, percent, rate, size, span, table

_LEAST = 0.0005
_NOTHING = 1e-6


def comparison(before: Figures, after: Figures, moves: Moves | None = None) -> Iterator[str]:
    """Yield the lines, as a person reads them."""
    rows = [("", "before", "after", "change"), *_network(before, after)]
    yield from table(rows)
    if moves is not None:
        yield ""
        yield from _moves(moves)
    yield ""
    yield from _sites(before, after)


def beside_each_other(figures: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    """Return rows with the figures of several simulations by their names, the heads first."""
    columns = [dict(_written(one)) for one in figures.values()]
    names = [name for name in columns[0] if any(column[name] != _NONE for column in columns)]
    rows = [(name, *(column[name] for column in columns)) for name in names]
    return [("", *figures), *rows]


def _written(one: Figures) -> Iterator[tuple[str, str]]:
    yield "hits in the first server", percent(one.edge_hit_ratio)
    yield "hits in the site", percent(one.site_hit_ratio)
    yield "hits in sites above", percent(one.mid_hit_ratio)
    yield "origin requests", _count(one.origin_requests)
    yield "origin peak", rate(one.origin_peak_bps)
    yield "peak of sites above", rate(one.mid_peak_bps) if one.mid_peak_bps else _NONE
    yield "bytes not from origins", percent(one.origin_offload)
    yield "fullest site", percent(_fullest(one))
    yield "fullest server", percent(_fullest_server(one))
    yield "above target", span(_above_target_s(one))
    yield "above capacity", span(_above_capacity_s(one))
    yield "settled within", span(one.settled_s)
    yield "viewers' time spent waiting", f"{one.rebuffering:.2%}"
    for name, count in (
        ("requests in vain", one.failed),
        ("viewers who gave up", one.gave_up),
        ("moves of client networks", one.moved_clients),
        ("requests of other CDNs", one.external_requests),
    ):
        yield name, _count(count) if count else _NONE
    yield "cost", money(one.cost) if one.cost else _NONE


_NONE = "-"


def _network(before: Figures, after: Figures) -> Iterator[tuple[str, str, str, str]]:
    for name, was, now in (
        ("hits in the first server", before.edge_hit_ratio, after.edge_hit_ratio),
        ("hits in the site", before.site_hit_ratio, after.site_hit_ratio),
        ("hits in sites above", before.mid_hit_ratio, after.mid_hit_ratio),
        ("bytes not from origins", before.origin_offload, after.origin_offload),
        ("viewers' time spent waiting", before.rebuffering, after.rebuffering),
        ("fullest site", _fullest(before), _fullest(after)),
        ("fullest server", _fullest_server(before), _fullest_server(after)),
        ("balance at the height", before.balance, after.balance),
    ):
        yield name, percent(was), percent(now), _points(now - was)
    for name, was, now, written in (
        ("origin requests", before.origin_requests, after.origin_requests, _count),
        ("origin bytes", before.origin_bytes, after.origin_bytes, size),
        ("origin peak", before.origin_peak_bps, after.origin_peak_bps, rate),
        ("peak to clients", before.peak_bps, after.peak_bps, rate),
        ("requests of other CDNs", before.external_requests, after.external_requests, _count),
        ("requests in vain", before.failed, after.failed, _count),
        ("viewers who gave up", before.gave_up, after.gave_up, _count),
        ("above target", _above_target_s(before), _above_target_s(after), span),
        ("above capacity", _above_capacity_s(before), _above_capacity_s(after), span),
        ("cost of sites", _of_sites(before), _of_sites(after), money),
        ("cost of origins", before.cost - _of_sites(before), after.cost - _of_sites(after), money),
    ):
        if max(was, now) > _NOTHING:
            yield name, written(was), written(now), _relative(was, now)


def _sites(before: Figures, after: Figures) -> Iterator[str]:
    """Yield two rows for each site in which something changes."""
    was = {one.name: one for one in before.sites}
    now = {one.name: one for one in after.sites}
    names = dict.fromkeys([*was, *now])
    priced = any(one.cost for one in (*before.sites, *after.sites))
    heads = ("site", "", "peak", "load", "fullest", "above", "hits", *(("cost",) if priced else ()))
    rows: list[tuple[str, ...]] = [heads]
    for name in names:
        cells = [_cells(known.get(name))[: len(heads) - 2] for known in (was, now)]
        if cells[0] != cells[1]:
            rows += [(name, "before", *cells[0]), ("", "after", *cells[1])]
    if len(rows) > 1:
        yield from table(rows)
        yield FULLEST_ABOVE
    same = len(names) - len(rows) // 2
    if same:
        yield f"{same} {'site' if same == 1 else 'sites'} as before"


def _cells(one: SiteFigures | None) -> tuple[str, ...]:
    if one is None:
        return ("-",) * 6
    return (
        rate(one.peak_bps), percent(one.peak_load), percent(one.fullest_server),
        span(one.above_target_s), percent(one.hit_ratio), money(one.cost),
    )  # fmt: skip


def _moves(moves: Moves) -> Iterator[str]:
    asked = max(1, moves.requests)
    networks = f"{len(moves.moved_clients):,} of {len(moves.clients):,}"
    yield f"moved  {networks} client networks, for some of what they ask, to another site"
    yield (
        f"       {percent(moves.to_another_site / asked)} of the requests to another site, "
        f"{percent(moves.to_another_server / asked)} to another server of theirs"
    )
    if moves.moved_bytes:
        yield (
            f"       {size(moves.moved_bytes)} of objects, of {size(moves.bytes)}, at servers "
            "that have to fetch them first"
        )
    if moves.unknown:
        yield f"       {moves.unknown:,} requests that one of both serves nowhere"


def _edges(one: Figures) -> list[SiteFigures]:
    return [site for site in one.sites if site.kind == "edge"]


def _fullest(one: Figures) -> float:
    return max((site.peak_load for site in _edges(one)), default=0.0)


def _fullest_server(one: Figures) -> float:
    return max((site.fullest_server for site in _edges(one)), default=0.0)


def _above_target_s(one: Figures) -> float:
    return sum(site.above_target_s for site in _edges(one))


def _above_capacity_s(one: Figures) -> float:
    return sum(site.above_capacity_s for site in _edges(one))


def _of_sites(one: Figures) -> float:
    return math.fsum(site.cost for site in one.sites)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _points(change: float) -> str:
    return "-" if abs(change) < _LEAST else f"{100 * change:+.1f}"


def _relative(was: float, now: float) -> str:
    if not was:
        return "new"
    change = now / was - 1
    return "-" if abs(change) < _LEAST else f"{100 * change:+,.1f} %"
