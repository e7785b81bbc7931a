"""Why a shard is where it is: each server of a site, in order, with the reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from headrace.topology.model import AdminState, ContentClass, Server
from headrace.topology.placement import Placement, SitePlacement
from headrace.topology.placement_site import Standing


class Place(msgspec.Struct):
    """A server: `role` is `holds`, `stands in` or `left out`."""

    server: str
    role: str
    why: str


class ShardInSite(msgspec.Struct):
    """Where a shard is in a site: on `width` servers. `demand` is its share of all requests where
    it is known and is enough to matter here; `heavy` says whether it is.
    """

    site: str
    width: int
    heavy: bool
    demand: float | None
    servers: list[Place]


def explain_shard(
    placement: Placement, site: str, content: ContentClass, shard: bytes
) -> ShardInSite | None:
    """Return where a shard is in a site, and why; None for a site without servers."""
    placed = placement.site(site)
    if placed is None:
        return None
    owners = placed.owners(content, shard)
    number = placed.heavy_number(content, shard)
    names = [server.name for server in owners.servers]
    rows = []
    for at, server in enumerate(owners.servers):
        role = "holds" if at < owners.width else "stands in"
        rows.append(Place(server.name, role, _why(placed, shard, server, number, role)))
    rows += _left_out(placed, shard, names)
    share = None if number is None else placed.heavy.shares[number].share
    return ShardInSite(site, owners.width, number is not None, share, rows)


def _why(placed: SitePlacement, shard: bytes, server: Server, number: int | None, role: str) -> str:
    at = placed.ring.servers.index(server)
    standing = placed.conditions.standings[at]
    if standing is not Standing.USABLE:
        return f"{_STANDINGS[standing]}: only when no other can"
    if role != "holds":
        return "next on the ring"
    arc = placed.ring.ring.arc_of(shard)
    home = placed.ring.ring.homes[arc]
    if number is not None and at in placed.heavy.servers(number):
        return f"{'first' if at == home else 'next'} on the ring with room for it"
    if at == home:
        return "first on the ring"
    holder = placed.arcs.holders[arc]
    if at != holder:
        return "next on the ring"
    name = placed.ring.servers[home].name
    state = placed.conditions.standings[home]
    if state is not Standing.USABLE:
        return f"first on the ring with room, for {name}, which {_STANDINGS[state]}"
    return f"first on the ring with room: {name} has its share"


def _left_out(placed: SitePlacement, shard: bytes, named: list[str]) -> Iterator[Place]:
    """Yield the servers that fail or are withdrawn, as the shard would meet them."""
    arc = placed.ring.ring.arc_of(shard)
    for at in placed.ring.ring.walk(arc):
        server = placed.ring.servers[at]
        if placed.conditions.standings[at] is Standing.GONE and server.name not in named:
            withdrawn = server.state is AdminState.WITHDRAWN
            yield Place(server.name, "left out", "is withdrawn" if withdrawn else "has failed")


_STANDINGS = {
    Standing.FULL: "is full",
    Standing.DRAINING: "drains",
    Standing.GONE: "is gone",
    Standing.USABLE: "serves",
}
