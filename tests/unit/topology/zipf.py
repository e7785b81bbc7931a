"""A skewed demand for shards, and what servers get of it."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.topology.model import ContentClass, Topology
from headrace.topology.placement import Placement
from headrace.topology.view import View
from headrace.topology.widening import widen


def zipf(count: int, skew: float = 0.9) -> dict[bytes, float]:
    """Return the share of the demand of each of so many shards."""
    shares = [(rank + 1) ** -skew for rank in range(count)]
    total = sum(shares)
    return {b"/vod/%d/1.m4s" % rank: share / total for rank, share in enumerate(shares)}


def view_of(demand: dict[bytes, float], topology: Topology, heavy: float = 0.01) -> View:
    """Return the view that somebody writes who has measured it: with what is heavy for the
    smallest server.
    """
    content = topology.classes[0]
    capacities = [server.capacity_bps for server in topology.servers]
    least = heavy * min(capacities) / sum(capacities)
    measured = {
        content.name: {shard.decode(): share for shard, share in demand.items() if share >= least}
    }
    widths = widen({}, measured, topology.classes, len(topology.servers))
    return View(demand=measured, widths=widths)


def holders(placement: Placement, content: ContentClass, shard: bytes) -> list[str]:
    """Return the names of those that hold a shard."""
    owners = placement.owners("north", content, shard)
    return [server.name for server in owners.servers[: owners.width]]


def loads(
    placement: Placement, demand: dict[bytes, float], without: Iterable[str] = ()
) -> dict[str, float]:
    """Return what each server gets, as a multiple of its fair share."""
    topology = placement.topology
    serving = [server for server in topology.servers if server.name not in set(without)]
    total = sum(server.capacity_bps for server in serving)
    got = dict.fromkeys((server.name for server in serving), 0.0)
    for shard, share in demand.items():
        held = holders(placement, topology.classes[0], shard)
        for name in held:
            got[name] += share / len(held)
    return {server.name: got[server.name] * total / server.capacity_bps for server in serving}


def moved(before: Placement, after: Placement, demand: dict[bytes, float]) -> tuple[float, float]:
    """Return which part of the shards, and of the demand, is held by other servers."""
    content = before.topology.classes[0]
    shards = shares = 0.0
    for shard, share in demand.items():
        was, now = (set(holders(one, content, shard)) for one in (before, after))
        part = len(now - was) / len(now)
        shards += part
        shares += part * share
    return shards / len(demand), shares
