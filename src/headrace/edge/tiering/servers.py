"""The servers of the network as one worker asks them: where they are, and what it knows of them."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from headrace.topology.model import Server
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.pool import Origin
from headrace.upstream.sources import PeerSource, PeerState, SourceRules

SIBLINGS = "siblings"
PARENTS = "parents"

Context = Callable[[Server], ssl.SSLContext | None]


class Servers:
    """Sources by server, made when they are first asked. What is known of one outlives new
    descriptions of the network, as long as it stays where it is.
    """

    def __init__(self, context: Context) -> None:
        """`context` returns what to ask a server by TLS with, which wants it; None: it can not be
        asked.
        """
        self._context = context
        self._made: dict[tuple[str, bool], PeerSource | None] = {}
        self._states: dict[tuple[str, str, int], PeerState] = {}
        self._rules = SourceRules()

    def adopt(self, servers: tuple[Server, ...], rules: SourceRules) -> None:
        """Know these servers from now on, and no others."""
        self._rules = rules
        self._made.clear()
        there = {place for server in servers if (place := place_of(server)) is not None}
        self._states = {place: state for place, state in self._states.items() if place in there}

    def source(self, server: Server, *, sibling: bool) -> PeerSource | None:
        """Return a server as it is asked; None where it can not be."""
        key = (server.name, sibling)
        if key not in self._made:
            self._made[key] = self._make(server, sibling=sibling)
        return self._made[key]

    def endpoints(self) -> set[Endpoint]:
        """Return where connections may be kept to."""
        return {made.origin.endpoint for made in self._made.values() if made is not None}

    @property
    def open_places(self) -> int:
        """Return how many requests to servers run now."""
        return sum(state.active for state in self._states.values())

    def _make(self, server: Server, *, sibling: bool) -> PeerSource | None:
        place = place_of(server)
        if place is None:
            return None
        context = self._context(server) if asked_by_tls(server) else None
        if asked_by_tls(server) and context is None:
            return None
        _name, address, port = place
        endpoint = Endpoint(
            address, port, f"{server.host}:{port}".encode(), b"", context,
            None if context is None else server.host,
        )  # fmt: skip
        origin = Origin(server.name, endpoint, concurrent=self._rules.concurrent)
        state = self._states.setdefault(place, PeerState())
        return PeerSource(origin, state, server.site, SIBLINGS if sibling else PARENTS)


def asked_by_tls(server: Server) -> bool:
    """Return whether other servers ask it by TLS."""
    return server.peer_tls or (server.peer_port is None and server.http_port is None)


def place_of(server: Server) -> tuple[str, str, int] | None:
    """Return a server's name, and the address and port where others ask it; None where none can."""
    port = server.peer_port
    if port is None:
        port = server.https_port if asked_by_tls(server) else server.http_port
    addresses = (*server.ipv4, *server.ipv6)
    if port is None or not addresses:
        return None
    return server.name, str(addresses[0]), port
