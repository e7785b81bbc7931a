"""What the connections of one worker share: limits, time limits, the parser, who has how many.

Connections know this and not who accepts them.
"""

from __future__ import annotations

import asyncio
import math
import mmap
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from headrace.http.client_network import network_of
from headrace.http.parser import HeadLimits, RequestParser
from headrace.http.server.exchange import Handler
from headrace.http.server.head_cache import HeadCache
from headrace.http.server.timer_wheel import TimerWheel
from headrace.http.server.tls_socket import WINDOW_BYTES as TLS_WINDOW_BYTES
from headrace.http.server.tls_socket import TlsSocket
from headrace.reasons import Reason


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """Time limits for clients, in seconds. The minimum rate holds in both directions."""

    head_s: float = 10.0
    idle_s: float = 60.0
    tls_handshake_s: float = 10.0
    min_rate_bytes_per_s: float = 1000.0
    rate_window_s: float = 20.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections a worker accepts, in all and from one address.

    `descriptors` is how many may be in use when a client is let in: the rest is for those who are
    in already, their files and their origins. `accepts_per_s` is for a worker that has more urgent
    work than its clients: so many new ones are let in, others wait.
    """

    connections: int = 20000
    per_address: int = 1000
    requests_per_connection: int = 2**62
    handshakes_per_address: int = 200
    descriptors: int = 2**62
    accepts_per_s: float = math.inf


class OpenConnection(Protocol):
    """A connection as those see it who only count and close it."""

    address: str

    def drain(self) -> None:
        """End now if idle, else after the present response."""

    def abort(self, reason: str) -> None:
        """Break the connection."""


class ServerContext:
    """The limits in force, the connections there are, and to whom they report.

    `connections` are all that are open; an acceptor puts them there.
    """

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop) -> None:
        self.handler = handler
        self.loop = loop
        self.timer_wheel = TimerWheel()
        self.monotonic = time.monotonic
        self.head_limits = HeadLimits()
        self.parser = RequestParser(self.head_limits)
        self.head_cache = HeadCache(self.parser)
        self.timeouts = ClientTimeouts()
        self.limits = ConnectionLimits()
        self.requests_per_connection = self.limits.requests_per_connection
        self.closing = False
        self.disk_threads = ThreadPoolExecutor(4, thread_name_prefix="disk")
        self.connections: set[OpenConnection] = set()
        # Begins with a page: the kernel copies to where it does four times as fast.
        self.tls_window = memoryview(mmap.mmap(-1, TLS_WINDOW_BYTES))
        self.handle = handler.handle
        self.refused = handler.refused
        self.finished = handler.finished
        self._by_network: dict[str, int] = {}
        self._shaking: dict[str, int] = {}  # of them, those in their TLS handshake

    def configure(
        self, head_limits: HeadLimits, timeouts: ClientTimeouts, limits: ConnectionLimits
    ) -> None:
        """Take new limits for what happens from now on."""
        self.head_limits = head_limits
        self.parser = RequestParser(head_limits)
        self.head_cache = HeadCache(self.parser)
        self.timeouts = timeouts
        self.limits = limits
        self.requests_per_connection = limits.requests_per_connection

    # Who may come in.

    def why_not_admitted(self, network: str, *, tls: bool) -> str:
        """Return which limit a new connection would pass, in a word; "" for none. `network` is
        what its address counts as, "" without one.
        """
        limits = self.limits
        if len(self.connections) >= limits.connections:
            return Reason.CONNECTION_LIMIT.word
        if not network:
            return ""
        if self._by_network.get(network, 0) >= limits.per_address:
            return Reason.ADDRESS_LIMIT.word
        if tls and self._shaking.get(network, 0) >= limits.handshakes_per_address:
            # Only where shaking hands is asked for: others of this address have no part in it.
            return Reason.HANDSHAKE_LIMIT.word
        return ""

    def admitted(self, network: str, *, tls: bool) -> None:
        """Count a connection that was let in. Each needs its `closed`."""
        if network:
            self._by_network[network] = self._by_network.get(network, 0) + 1
            if tls:
                self._shaking[network] = self._shaking.get(network, 0) + 1

    # What connections report.

    def handshake_ended(self, address: str) -> None:
        """Note that a connection is not in its handshake any more, in whatever way that came."""
        if address:
            _count_down(self._shaking, network_of(address))

    def timed_out(self, kind: str) -> None:
        """Count a time limit that passed."""
        self.handler.event("timeout", kind)

    def handshake_done(self, sock: ssl.SSLSocket | TlsSocket) -> None:
        """Count a handshake that succeeded."""
        self.handler.event("tls", "resumed" if sock.session_reused else "full")

    def handshake_failed(self, error: Exception) -> None:
        """Count a handshake that failed, by OpenSSL's word for why."""
        reason = getattr(error, "reason", None)
        self.handler.event("tls_failed", str(reason or type(error).__name__).lower())

    def closed(self, connection: OpenConnection) -> None:
        """Forget a connection, and count it out."""
        self.connections.discard(connection)
        address = connection.address
        if address:
            _count_down(self._by_network, network_of(address))
        self.handler.connections_changed(0, 1)

    def clients(self) -> Iterator[tuple[str, int]]:
        """Yield who has connections, by what the limit per address counts by, and how many."""
        yield from list(self._by_network.items())


def _count_down(counter: dict[str, int], name: str) -> None:
    left = counter.get(name, 0) - 1
    if left > 0:
        counter[name] = left
    else:
        counter.pop(name, None)
