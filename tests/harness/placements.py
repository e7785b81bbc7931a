"""Placements for tests of the routing: each shard on the servers that the test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from headrace.topology.model import AdminState, ContentClass, Server, Topology
from headrace.topology.view import NO_VIEW, ServerState, View


@dataclass(frozen=True, slots=True)
class Held:
    """The servers of a site for a shard; the first `width` hold it."""

    servers: tuple[Server, ...]
    width: int


@dataclass
class PlainPlacement:
    """All shards on a site's servers as the description lists them; `widths` by shard."""

    topology: Topology
    view: View = NO_VIEW
    widths: dict[bytes, int] = field(default_factory=dict)

    def owners(self, site: str, _content: ContentClass, shard: bytes) -> Held:
        """Return the servers that are neither failed nor withdrawn."""
        servers = tuple(
            server
            for server in self.topology.servers_of(site)
            if server.state is not AdminState.WITHDRAWN
            and (
                server.name not in self.view.servers
                or self.view.servers[server.name].state is not ServerState.FAILED
            )
        )
        return Held(servers, min(self.widths.get(shard, 1), len(servers)))
