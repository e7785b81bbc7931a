"""The path of servers that a server asks for what it does not have, before the origins. Pure.

First those of its own site that are to hold the shard, then those of each parent site, in order.
What keeps requests from going in circles, whatever each server's view says:

- A server that is asked by another one of its site asks nobody of that site. So a request meets at
  most two servers of a site, and then leaves it upwards.
- Parent sites form no cycle (the description is checked for that), and only their servers are asked
  beyond one's own site.
- Each request between servers counts; at `most_hops` only origins are left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import xxhash

from headrace.topology.model import ContentClass, Server, StoreBy, Topology

MOST_OF_A_SITE = 2
MOST_SOURCES = 6
MOST_HOPS = 4


class Owned(Protocol):
    """The servers of a site for a shard: the first `width` hold it, the others stand in for them,
    in order.
    """

    @property
    def servers(self) -> tuple[Server, ...]:
        """All of them, in order."""

    @property
    def width(self) -> int:
        """How many hold the shard."""


class Placing(Protocol):
    """Knows who owns what: `placement.Placement`."""

    def owners(self, site: str, content: ContentClass, shard: bytes) -> Owned:
        """Return the servers of a site for a shard."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """Whom to ask, in order. `owns`: this server is one of those that hold the shard."""

    servers: tuple[Server, ...] = ()
    owns: bool = True


def sources(
    topology: Topology,
    placement: Placing,
    me: Server,
    content: ContentClass,
    shard: bytes,
    *,
    asked_by_site: str | None = None,
    hops: int = 0,
    most_hops: int = MOST_HOPS,
) -> Tiers:
    """Return whom `me` asks for a shard before the origins.

    `asked_by_site` is the site of the server that asks (None: a client does); `hops` is how many
    servers the request has come through already, this one not counted.
    """
    owned = placement.owners(me.site, content, shard)
    holders = owned.servers[: max(1, owned.width)]
    owns = me in holders or not owned.servers
    if not content.tiering or hops >= most_hops:
        return Tiers((), owns)
    found: list[Server] = []
    if not owns and asked_by_site != me.site:
        for server in (*_turned(holders, me.name), *owned.servers[len(holders) :]):
            if server == me or len(found) == MOST_OF_A_SITE:
                break  # this server is the next to stand in for those before it
            found.append(server)
    for name in topology.site(me.site).parents:
        if name == me.site:
            continue
        above = placement.owners(name, content, shard)
        width = max(1, above.width)
        turned = _turned(above.servers[:width], me.name) + above.servers[width:]
        found += turned[:MOST_OF_A_SITE]
    return Tiers(tuple(found[:MOST_SOURCES]), owns)


def holds_copy(tiers: Tiers, site: str, asked_by_site: str | None, sibling_usable: bool) -> bool:
    """Return whether a server holds its site's copy: it is one of those that should, another one
    of the site takes it for that, or no sibling that should can be asked.
    """
    return tiers.owns or asked_by_site == site or not sibling_usable


def stored_here(store: StoreBy, popular_after: int, holds: bool, count: Callable[[], int]) -> bool:
    """Return whether an answer is to be stored. `count` counts a request for it, and returns how
    many there were lately; it is called only where that matters.
    """
    if holds or store is StoreBy.ALWAYS:
        return True
    return store is not StoreBy.OWN and count() >= popular_after


def _turned(servers: tuple[Server, ...], name: str) -> tuple[Server, ...]:
    """Return the servers beginning with one that depends on who asks, so that load spreads."""
    if len(servers) < 2:
        return servers
    at = xxhash.xxh3_64_intdigest(name.encode()) % len(servers)
    return servers[at:] + servers[:at]
