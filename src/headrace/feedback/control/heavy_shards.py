"""Which shards draw much of the demand, and on how many servers they are held. Pure.

What edges report is summed up over the network. Whoever reads a view decides everything again, so
the figures change at once only where a shard must become wider, else from time to time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from headrace.feedback.balance.demand import MOST_OF_CAPACITY
from headrace.feedback.observation import NodeReport
from headrace.topology.model import SiteKind, Topology
from headrace.topology.placement_heavy import HEAVY
from headrace.topology.widening import widen

RENEW_S = 30.0
"""How often the figures are renewed where nothing presses."""

NEW_COUNTS = 0.5
"""How much of the new figures is taken then."""

MOST_SHARDS = 1024
MOST_BYTES = 512 * 1024
"""What all names together may take in a document: clients choose them, and a view that is too large
is none."""

_Name = Annotated[str, Meta(min_length=1, max_length=512)]
_Share = Annotated[float, Meta(ge=0.0, le=1.0)]
_Width = Annotated[int, Meta(ge=1, le=65536)]
_Shares = dict[str, dict[str, float]]
_Figure = TypeVar("_Figure", int, float)


class HeavyShards(msgspec.Struct, frozen=True, omit_defaults=True):
    """Shares of the whole demand and widths of heavy shards, by class and key; `age_s` is how long
    ago they were renewed.
    """

    demand: dict[_Name, dict[_Name, _Share]] = {}
    widths: dict[_Name, dict[_Name, _Width]] = {}
    age_s: Annotated[float, Meta(ge=0.0, le=1e9)] = 0.0


def next_heavy_shards(
    before: HeavyShards,
    reports: Mapping[str, NodeReport],
    topology: Topology,
    oldest_s: float,
    elapsed_s: float,
) -> HeavyShards:
    """Return the heavy shards after so much more time. Reports older than `oldest_s` do not
    count; without any, all stays as it is.
    """
    if not any(one.widening is not None for one in topology.classes):
        return HeavyShards()
    measured = measure(reports, topology, oldest_s)
    age_s = min(before.age_s + elapsed_s, 1e9)
    if measured is None:
        return HeavyShards(before.demand, before.widths, age_s)
    largest = _largest_site(topology)
    wider = widen(before.widths, measured, topology.classes, largest)
    if _presses(before.widths, wider):
        taken = _joined(before.demand, measured)
    elif age_s >= RENEW_S or not before.demand:
        taken = _mixed(before.demand, measured)
    else:
        return HeavyShards(before.demand, before.widths, age_s)
    kept = _heaviest(taken, 0.5 * HEAVY / largest)
    widths = widen(before.widths, taken, topology.classes, largest)
    return HeavyShards(kept, _widest(widths), 0.0)


def measure(
    reports: Mapping[str, NodeReport], topology: Topology, oldest_s: float
) -> _Shares | None:
    """Return each reported shard's share of the whole demand; None when nobody reports any.

    No server is believed to send more than it can: it would make all others' shards look light.
    """
    edges = {site.name for site in topology.sites if site.kind is SiteKind.EDGE}
    classes = {one.name for one in topology.classes}
    total_bps = 0.0
    found: _Shares = {}
    for server in topology.servers:
        heard = reports.get(server.name)
        if heard is None or server.site not in edges or not 0.0 <= heard.whole_age_s <= oldest_s:
            continue
        by_class: dict[str, float] = {}
        for flows in heard.report.flows.values():
            for content, flow in flows.items():
                if math.isfinite(flow.bps) and flow.bps > 0.0:
                    by_class[content] = by_class.get(content, 0.0) + flow.bps
        said_bps = sum(by_class.values())
        most_bps = MOST_OF_CAPACITY * server.capacity_bps
        if said_bps > most_bps:
            by_class = {name: bps * most_bps / said_bps for name, bps in by_class.items()}
        total_bps += min(said_bps, most_bps)
        for content, shards in heard.report.shards.items():
            if content not in classes or content not in by_class:
                continue
            of_class = found.setdefault(content, {})
            for shard, share in shards.items():
                if shard and 0.0 <= share <= 1.0:
                    of_class[shard] = of_class.get(shard, 0.0) + share * by_class[content]
    if total_bps <= 0.0:
        return None
    return {
        content: {shard: min(1.0, bps / total_bps) for shard, bps in shards.items()}
        for content, shards in found.items()
    }


def _largest_site(topology: Topology) -> int:
    count: dict[str, int] = {}
    for server in topology.servers:
        count[server.site] = count.get(server.site, 0) + 1
    return max(count.values(), default=1)


def _presses(
    before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]
) -> bool:
    """Return whether a shard becomes wider."""
    return any(
        width > before.get(content, {}).get(shard, 1)
        for content, widths in after.items()
        for shard, width in widths.items()
    )


def _joined(before: _Shares, measured: _Shares) -> _Shares:
    """Return the larger of two figures of each shard."""
    return {
        content: {
            shard: max(
                before.get(content, {}).get(shard, 0.0), measured.get(content, {}).get(shard, 0.0)
            )
            for shard in before.get(content, {}).keys() | measured.get(content, {}).keys()
        }
        for content in before.keys() | measured.keys()
    }


def _mixed(before: _Shares, measured: _Shares) -> _Shares:
    """Return figures between those before and the new ones."""
    new = NEW_COUNTS if before else 1.0
    return {
        content: {
            shard: before.get(content, {}).get(shard, 0.0) * (1.0 - new)
            + measured.get(content, {}).get(shard, 0.0) * new
            for shard in before.get(content, {}).keys() | measured.get(content, {}).keys()
        }
        for content in before.keys() | measured.keys()
    }


def _heaviest(shares: _Shares, least: float) -> _Shares:
    """Return the shards that weigh something, a bounded number of them, in a fixed order."""
    return {
        content: {shard: float(f"{share:.3g}") for shard, share in of_class.items()}
        for content, of_class in _largest(shares, least).items()
    }


def _widest(widths: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return _largest(widths, 1)


def _largest(
    figures: Mapping[str, Mapping[str, _Figure]], least: _Figure
) -> dict[str, dict[str, _Figure]]:
    """Return the shards of the largest figures, no more than may be kept, in a fixed order."""
    every = sorted(
        (-figure, content, shard)
        for content, of_class in figures.items()
        for shard, figure in of_class.items()
        if figure >= least
    )
    kept: dict[str, dict[str, _Figure]] = {}
    left = MOST_BYTES
    for _order, content, shard in every[:MOST_SHARDS]:
        left -= len(msgspec.json.encode(shard))
        if left < 0:
            break
        kept.setdefault(content, {})[shard] = figures[content][shard]
    return {content: dict(sorted(kept[content].items())) for content in sorted(kept)}
