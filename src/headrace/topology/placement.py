"""Which servers of a site hold a shard, and which stand in for them, in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.topology.model import AdminState, ContentClass, Server, Topology
from headrace.topology.ring import Ring
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View

FALLBACKS = 4
"""How many servers are named beyond those that hold the shard."""


@dataclass(frozen=True, slots=True)
class Owners:
    """The first `width` servers hold the shard; the others stand in for them, in order."""

    servers: tuple[Server, ...]
    width: int


NOBODY = Owners((), 0)


class Placement:
    """Where shards are, under a view of the network."""

    __slots__ = ("_rings", "_servers", "topology", "view")

    def __init__(self, topology: Topology, view: View = NO_VIEW) -> None:
        self.topology = topology
        self.view = view
        self._servers = {site.name: topology.servers_of(site.name) for site in topology.sites}
        self._rings: dict[str, Ring] = {}

    def owners(self, site: str, content: ContentClass, shard: bytes) -> Owners:
        """Return the servers of a site for a shard; none for a site that has none."""
        servers = self._servers.get(site)
        if not servers:
            return NOBODY
        ring = self._rings.get(site)
        if ring is None:
            ring = self._rings[site] = Ring(
                [(server.name, server.capacity_bps) for server in servers]
            )
        width = self._width(content, shard, len(servers))
        usable: list[Server] = []
        last: list[Server] = []
        for number in ring.walk(shard):
            state = self._state(servers[number])
            if state in (ServerState.DRAINING, ServerState.FULL):
                last.append(servers[number])
            elif state is ServerState.ONLINE:
                usable.append(servers[number])
                if len(usable) == width + FALLBACKS:
                    break
        found = tuple((usable + last)[: width + FALLBACKS])
        return Owners(found, min(width, len(found)))

    def _width(self, content: ContentClass, shard: bytes, most: int) -> int:
        widths = self.view.widths.get(content.name)
        wide = widths.get(shard.decode("latin-1"), 0) if widths else 0
        return min(max(content.replicas, wide), most)

    def _state(self, server: Server) -> ServerState:
        seen = self.view.servers.get(server.name, _UNSEEN)
        if server.state is AdminState.WITHDRAWN:
            return ServerState.FAILED
        if server.state is AdminState.DRAINING and seen.state is not ServerState.FAILED:
            return ServerState.DRAINING
        return seen.state


_UNSEEN = ServerView()
