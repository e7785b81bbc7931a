"""What a fill is for: one resource's variant, as one client asked for it."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from headrace.cache.slice_requests import SliceRequest
from headrace.edge.fill.names import part_name
from headrace.edge.peers.membership import charged_to
from headrace.edge.service.resource import Resource
from headrace.http import cdn_loop
from headrace.http.message import Request
from headrace.upstream.head_reader import OnInterim
from headrace.upstream.peering import Peer


class FillRequest(msgspec.Struct, frozen=True):
    """Which slices are wanted of a resource's `variant`, and for whom.

    `client_address` is the client's, whose network is charged; `on_interim` takes 1xx responses
    for the request that begins the fill. `peer` is the server of the network that asks: then it is
    charged. `alone`: no server of the network is asked, for none could help.
    """

    resource: Resource
    request: Request
    client_address: str
    variant: bytes
    slices: SliceRequest
    on_interim: OnInterim | None = None
    peer: Peer | None = None
    alone: bool = False

    @property
    def name(self) -> bytes:
        """What the parts in the store are called."""
        return part_name(self.resource.key_hash, self.variant)

    @property
    def number(self) -> int:
        """The first slice that is wanted."""
        return self.slices.first

    @property
    def network(self) -> str:
        """The client's network, or the server that asks for it."""
        return charged_to(self.peer, self.client_address)

    @property
    def by_way_of_others(self) -> bool:
        """Return whether the request says that it came through networks that are not ours."""
        value = self.request.headers.get(cdn_loop.FIELD)
        return cdn_loop.passes(value) > (0 if self.peer is None else self.peer.hops)

    def repeated(self, *, again: bool) -> FillRequest:
        """Return the same, `again` telling whether that slice was asked for before."""
        if again is self.slices.again:
            return self
        return msgspec.structs.replace(self, slices=replace(self.slices, again=again))
