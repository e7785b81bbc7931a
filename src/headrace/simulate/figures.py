"""The figures of a simulation that people compare: made from its totals and series. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.node.network.files import opened
from headrace.simulate.engine import Result
from headrace.simulate.network import Source
from headrace.simulate.settling import settled_s
from headrace.simulate.tally import SiteSeries
from headrace.topology.model import SiteKind

GB = 10**9
_MOST_FIGURES_BYTES = 16 * 1024**2
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class SiteFigures(msgspec.Struct, frozen=True):
    """A site. Loads are shares of what it can send; `above_target_s` and `above_capacity_s` are
    how long it sent more than that; `fullest_server` is the highest load of any of its servers.
    `balance` is the load of the site at its peak beside that of its fullest server then (1: all
    alike). `cost` is of what it sent to clients.
    """

    name: _Name
    kind: _Name
    peak_bps: float
    peak_load: float
    mean_load: float
    fullest_server: float
    above_target_s: float
    above_capacity_s: float
    hit_ratio: float
    client_bytes: int
    cost: float
    balance: float = 0.0


class Figures(msgspec.Struct, frozen=True):
    """The whole network, after the warm-up. Ratios are of requests, between 0 and 1.

    `edge_hit_ratio` is of what clients asked their first server; `site_hit_ratio` counts what
    another server of the site had, too; `mid_hit_ratio` is of what the sites above were asked.
    `origin_offload` is the share of the bytes that clients got which no origin sent. `balance` is
    the mean load of edge sites beside that of the fullest of them, at the height of demand (1: all
    alike). `settled_s` is the longest time that loads took to come to rest (see `settling`).
    `rebuffering` is the share of the time that viewers would have waited; those who got
    nothing for too long `gave_up`, and do not wait any more. `mid_peak_bps` is the most that the
    sites above sent.
    """

    requests: int
    sessions: int
    client_bytes: int
    peak_bps: float
    edge_hit_ratio: float
    site_hit_ratio: float
    mid_hit_ratio: float
    origin_requests: int
    origin_bytes: int
    origin_peak_bps: float
    origin_offload: float
    external_requests: int
    failed: int
    rebuffering: float
    balance: float
    settled_s: float
    moved_clients: int
    moved_keys: float
    views: int
    evictions: int
    cost: float
    sites: list[SiteFigures]
    gave_up: int = 0
    mid_peak_bps: float = 0.0


def figures_of(
    result: Result, prices: Mapping[str, float], usual_price: float, origin_price: float
) -> Figures:
    """Return the figures. Prices are those of a GB: what a scenario says of a site, else the
    description, else the usual one.
    """
    totals, series = result.totals, result.series
    first = sum(at < result.warm_up_s for at in series.at_s)
    described = {one.name: one.price_per_gb for one in result.topology.sites}
    sites = [
        _of_site(
            one,
            first,
            series.interval_s,
            totals.site_client_bytes.get(name, 0),
            prices.get(name, described.get(name) or usual_price),
        )
        for name, one in series.sites.items()
    ]
    by = totals.by_source
    asked = totals.requests or 1
    peak, balance = _height(list(series.sites.values()), first)
    waited = totals.starved_s + totals.waited_s
    return Figures(
        totals.requests,
        totals.sessions,
        totals.client_bytes,
        peak,
        by[Source.HIT] / asked,
        (by[Source.HIT] + by[Source.SIBLING]) / asked,
        totals.mid_hits / totals.mid_requests if totals.mid_requests else 0.0,
        totals.origin_requests,
        totals.origin_bytes,
        max(series.origin_bps[first:], default=0.0),
        1 - totals.origin_bytes / totals.client_bytes if totals.client_bytes else 0.0,
        by[Source.EXTERNAL],
        totals.failed,
        waited / (totals.played_s + totals.waited_s) if waited else 0.0,
        balance,
        settled_s(result, first),
        result.moved.clients,
        result.moved.keys,
        result.moved.views,
        result.evictions,
        sum(one.cost for one in sites) + totals.origin_bytes / GB * origin_price,
        sites,
        totals.gave_up,
        _mid_peak(list(series.sites.values()), first),
    )


def _mid_peak(sites: list[SiteSeries], first: int) -> float:
    of_each = [one.sent_bps[first:] for one in sites if one.kind is SiteKind.MID]
    return max(map(math.fsum, zip(*of_each, strict=True)), default=0.0)


def _of_site(
    one: SiteSeries, first: int, interval_s: float, client_bytes: int, price: float
) -> SiteFigures:
    loads = one.load()[first:]
    requests, hits = sum(one.requests[first:]), sum(one.hits[first:])
    return SiteFigures(
        one.site,
        one.kind.value,
        max(one.sent_bps[first:], default=0.0),
        max(loads, default=0.0),
        sum(loads) / max(1, len(loads)),
        max(one.fullest[first:], default=0.0),
        interval_s * sum(load > one.target for load in loads),
        interval_s * sum(load > 1 for load in loads),
        hits / requests if requests else 0.0,
        client_bytes,
        client_bytes / GB * price,
        _evenness(one, loads, first),
    )


def _evenness(one: SiteSeries, loads: Sequence[float], first: int) -> float:
    if not loads:
        return 0.0
    at = max(range(len(loads)), key=lambda number: (loads[number], -number))
    fullest = one.fullest[first + at]
    return min(1.0, loads[at] / fullest) if fullest else 0.0


def _height(sites: list[SiteSeries], first: int) -> tuple[float, float]:
    """Return what clients got at the height of demand, and how evenly from the edge sites."""
    edges = [one for one in sites if one.kind is SiteKind.EDGE]
    served = [one for one in sites if one.kind is not SiteKind.MID]
    if not edges:
        return 0.0, 0.0
    together = zip(*(one.clients_bps[first:] for one in served), strict=True)
    sums = [math.fsum(of_all) for of_all in together]
    height = max(sums, default=0.0)
    if not height:
        return 0.0, 0.0
    at = sums.index(height) + first
    loads = [one.clients_bps[at] / one.able_bps[at] for one in edges if one.able_bps[at]]
    fullest = max(loads, default=0.0)
    return height, sum(loads) / len(loads) / fullest if fullest else 0.0


def as_dict(figures: Figures) -> dict[str, Any]:
    """Return the figures as they stand in JSON."""
    found: dict[str, Any] = msgspec.to_builtins(figures)
    return found


class UnreadableFigures(HeadraceError):
    """A file that has no figures of a simulation."""


def read_figures(path: Path) -> Figures:
    """Return the figures that were written as JSON. Raises UnreadableFigures."""
    try:
        with opened(path) as file:
            return msgspec.json.decode(file.read(_MOST_FIGURES_BYTES), type=Figures)
    except (OSError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnreadableFigures(
            f"{path}: no figures: {error}; write them by headrace simulate --json"
        ) from error
