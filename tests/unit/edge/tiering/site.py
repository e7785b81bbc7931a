"""An edge in memory as a server of a site whose other servers are scripts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headrace.edge.peers.membership import Membership
from headrace.http.fields import PEER_FIELD
from headrace.topology.classify import Classes
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import ContentClass, Site, SiteKind, StoreBy, Topology
from headrace.topology.placement import Placement
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import NO_VIEW, View
from headrace.upstream.peering import Peer
from headrace.upstream.sources import PeerState
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.networks import a_server

NETWORK: dict[str, Any] = {"file": "/network.toml", "server": "n1"}


class Member:
    """An edge, and where what is shared lies in its site of four; `m1` is a mid site's server."""

    def __init__(
        self, edge: MemoryEdge, content: ContentClass | None = None, view: View = NO_VIEW
    ) -> None:
        sites = (Site("north", parents=("mid",)), Site("mid", SiteKind.MID))
        servers = [a_server(f"n{number}", "north", number) for number in range(1, 5)]
        servers.append(a_server("m1", "mid", 9))
        self.content = content or ContentClass("all")
        self.topology = Topology((), sites, tuple(servers), (), (self.content,))
        self.placement = Placement(self.topology, view)
        self.edge = edge
        edge.context.adopt_network(
            NetworkSnapshot(self.topology, "1", CoverageTable(self.topology)), view
        )
        edge.context.signer = lambda peer, _resource: (
            lambda method, host, target, _now: [
                (b"x-hops", b"%d" % (1 if peer is None else peer.hops + 1))
            ]
        )

    def order(self, target: str) -> list[str]:
        """Return the servers of the site for a target, in order."""
        found = Classes((self.content,)).of(b"h", target.encode())
        assert found is not None
        owners = self.placement.owners("north", found.content, found.shard)
        return [server.name for server in owners.servers]

    def target(self, place: int) -> str:
        """Return a target for which n1 has this place in the order: 0 owns it."""
        return next(t for t in (f"/t{n}" for n in range(500)) if self.order(t)[place] == "n1")

    def state(self, name: str) -> PeerState:
        """Return what the worker knows of a server. It must have been asked."""
        tiering = self.edge.context.tiering
        assert tiering is not None
        return next(s for (n, _a, _p), s in tiering.servers._states.items() if n == name)

    def asked(self) -> list[str]:
        """Return who was asked, in order, by short names: "n2", "m1", "o"."""
        return [heard.host.partition(".")[0] for heard in self.edge.network.requests]

    def ask_as(self, peer: Peer, target: str, *fields: str) -> MemoryExchange:
        """Ask as another server of the network does, whose signature is believed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Membership, "recognised", lambda *_all: peer)
            field = f"{PEER_FIELD.decode()}: x"
            return self.edge.begin(target, field, *fields, address="198.51.100.7")


def stored_by(store: StoreBy, after: int = 3) -> ContentClass:
    return replace(ContentClass("all"), store=store, popular_after=after)


def script_name(name: str) -> str:
    """Return what the memory network calls a server."""
    return f"{name}.cdn.example:80"
