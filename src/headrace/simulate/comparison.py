"""Two simulations beside each other: what would have been different. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.simulate.figures import Figures, SiteFigures
from headrace.simulate.replay import Moves
from headrace.simulate.summary import percent, rate, size
from headrace.topology.tree import aligned

_INDENT = "  "
_LEAST = 0.0005


def comparison(before: Figures, after: Figures, moves: Moves | None = None) -> Iterator[str]:
    """Yield the lines, as a person reads them."""
    rows = [("", "before", "after", "change"), *_network(before, after)]
    yield from _table(rows)
    if moves is not None:
        yield ""
        yield from _moves(moves)
    yield ""
    known = {one.name: one for one in before.sites}
    names = dict.fromkeys([*known, *(one.name for one in after.sites)])
    new = {one.name: one for one in after.sites}
    heads = ("site", "peak before", "after", "load before", "after", "hits before", "after")
    yield from _table([heads, *(_site(name, known.get(name), new.get(name)) for name in names)])


def _network(before: Figures, after: Figures) -> Iterator[tuple[str, str, str, str]]:
    for name, was, now in (
        ("hits in the first server", before.edge_hit_ratio, after.edge_hit_ratio),
        ("hits in the site", before.site_hit_ratio, after.site_hit_ratio),
        ("hits in sites above", before.mid_hit_ratio, after.mid_hit_ratio),
        ("bytes not from origins", before.origin_offload, after.origin_offload),
        ("viewers' time spent waiting", before.rebuffering, after.rebuffering),
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
        ("cost", before.cost, after.cost, _money),
    ):
        if was or now:
            yield name, written(was), written(now), _relative(was, now)


def _site(name: str, before: SiteFigures | None, after: SiteFigures | None) -> tuple[str, ...]:
    was, now = _cells(before), _cells(after)
    return (name, *(cell for pair in zip(was, now, strict=True) for cell in pair))


def _cells(one: SiteFigures | None) -> tuple[str, str, str]:
    if one is None:
        return ("-", "-", "-")
    return (rate(one.peak_bps), percent(one.peak_load), percent(one.hit_ratio))


def _moves(moves: Moves) -> Iterator[str]:
    asked = max(1, moves.requests)
    networks = f"{len(moves.moved_clients):,} of {len(moves.clients):,}"
    yield f"moved  {networks} client networks, for some of what they ask, to another site"
    yield (
        f"       {percent(moves.to_another_site / asked)} of the requests to another site, "
        f"{percent(moves.to_another_server / asked)} to another server of theirs"
    )
    if moves.unknown:
        yield f"       {moves.unknown:,} requests that one of both serves nowhere"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in aligned(rows):
        yield _INDENT.join(row).rstrip()


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _points(change: float) -> str:
    return "-" if abs(change) < _LEAST else f"{100 * change:+.1f}"


def _relative(was: float, now: float) -> str:
    if not was:
        return "new"
    change = now / was - 1
    return "-" if abs(change) < _LEAST else f"{change:+.1%}"
