"""Accepts client connections and knows what all of them share: limits, timers, the parser.

What to answer is the `Handler`'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import mmap
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from headrace.http.client_network import network_of
from headrace.http.parser import BadRequest, HeadLimits, RequestParser
from headrace.http.server.connection import Connection
from headrace.http.server.head_cache import HeadCache
from headrace.http.server.timer_wheel import TimerWheel
from headrace.http.server.tls_socket import (
    OP_ENABLE_KTLS,
    ClientSocket,
    TlsSocket,
    kernel_offers_tls,
)
from headrace.http.server.tls_socket import WINDOW_BYTES as TLS_WINDOW_BYTES

ACCEPTS_PER_WAKE = 64
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


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
    in already, their files and their origins.
    """

    connections: int = 20000
    per_address: int = 1000
    requests_per_connection: int = 2**62
    handshakes_per_address: int = 200
    descriptors: int = 2**62


class Handler(Protocol):
    """What a server needs from the edge. Every call is made on the event loop."""

    def handle(self, connection: Connection) -> None:
        """A request head is complete. Must not raise."""

    def refused(self, connection: Connection, error: BadRequest) -> None:
        """Answer a request that cannot be understood; the connection closes afterwards."""

    def finished(self, connection: Connection, ended: str) -> None:
        """A response ended: "complete", or why it was cut short."""

    def event(self, kind: str, reason: str) -> None:
        """Count something: kind is "refused", "timeout", "tls", "tls_failed" or "cold_read"."""

    def connections_changed(self, opened: int, closed: int) -> None:
        """Connections were accepted or went away."""


class Listener:
    """One listening socket and what its connections are."""

    __slots__ = ("address", "context", "sock")

    def __init__(self, sock: socket.socket, address: str, context: ssl.SSLContext | None) -> None:
        self.sock = sock
        self.address = address
        self.context = context


class Server:
    """All connections of one worker."""

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop) -> None:
        self.handler = handler
        self.loop = loop
        self.deadlines = TimerWheel()
        self.monotonic = time.monotonic
        self.head_limits = HeadLimits()
        self.parser = RequestParser(self.head_limits)
        self.head_cache = HeadCache(self.parser)
        self.timeouts = ClientTimeouts()
        self.limits = ConnectionLimits()
        self.requests_per_connection = self.limits.requests_per_connection
        self.closing = False
        self.disk_threads = ThreadPoolExecutor(4, thread_name_prefix="disk")
        self.connections: set[Connection] = set()
        self._tls_outgoing = ssl.MemoryBIO()
        # Begins with a page: the kernel copies to where it does four times as fast.
        self.tls_window = memoryview(mmap.mmap(-1, TLS_WINDOW_BYTES))
        self._kernel_tls = kernel_offers_tls()
        self._by_address: Counter[str] = Counter()
        self._shaking: Counter[str] = Counter()  # of them, those in their TLS handshake
        self._listeners: list[Listener] = []
        self._paused = False
        self.handle = handler.handle
        self.refused = handler.refused
        self.finished = handler.finished
        self._ticker: asyncio.TimerHandle | None = None
        self._tick()

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

    # Accepting.

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)
        if not self._paused:
            self.loop.add_reader(listener.sock.fileno(), self._accept, listener)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return tuple(self._listeners)

    def stop_listening(self, listener: Listener) -> None:
        """Take all that already waits in the accept queue, then close.

        What is left in a queue that closes is reset, though its client has done nothing wrong.
        """
        self._listeners.remove(listener)
        self.loop.remove_reader(listener.sock.fileno())
        while self._accept(listener) >= ACCEPTS_PER_WAKE:
            pass
        listener.sock.close()

    def _accept(self, listener: Listener) -> int:
        """Take what waits, in bounds; how many that were."""
        accepted = 0
        sock = listener.sock
        while accepted < ACCEPTS_PER_WAKE:
            try:
                client, peer = sock.accept()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if error.errno in NO_DESCRIPTORS:
                    self._pause_accepting()
                    break
                continue  # the client gave up while it waited (ECONNABORTED and its like)
            accepted += 1
            if client.fileno() >= self.limits.descriptors:
                # The kernel gives the lowest free number: so many are in use.
                client.close()
                self.handler.connections_changed(0, 1)
                self._pause_accepting()
                break
            self._admit(client, peer, listener)
        if accepted:
            self.handler.connections_changed(accepted, 0)
        return accepted

    def _admit(self, client: socket.socket, peer: object, listener: Listener) -> None:
        address = peer[0] if isinstance(peer, tuple) else ""
        context = listener.context
        network = network_of(address)
        reason = ""
        if len(self.connections) >= self.limits.connections:
            reason = "limit"
        elif address and self._by_address[network] >= self.limits.per_address:
            reason = "address_limit"
        elif address and self._shaking[network] >= self.limits.handshakes_per_address:
            # Only where shaking hands is asked for: others of this address have no part in it.
            reason = "handshake_limit" if context is not None else ""
        if reason:
            self.handler.event("refused", reason)
            self.handler.connections_changed(0, 1)
            client.close()
            return
        client.setblocking(False)
        try:
            sock = client if context is None else self._secured(client, context)
        except OSError:
            client.close()
            self.handler.connections_changed(0, 1)
            return
        if address:
            self._by_address[network] += 1
            if context is not None:
                self._shaking[network] += 1
        self.connections.add(
            Connection(self, sock, address, listener.address, tls=context is not None)
        )

    def _secured(self, client: socket.socket, context: ssl.SSLContext) -> ClientSocket:
        if self._kernel_tls and context.options & OP_ENABLE_KTLS:
            return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return TlsSocket(client, context, self._tls_outgoing)

    def _pause_accepting(self) -> None:
        """Out of descriptors: accepting again at once would only spin."""
        if self._paused:
            return
        self._paused = True
        self.handler.event("refused", "descriptors")
        for listener in self._listeners:
            self.loop.remove_reader(listener.sock.fileno())
        self.loop.call_later(0.5, self._go_on_accepting)

    def _go_on_accepting(self) -> None:
        self._paused = False
        for listener in self._listeners:
            self.loop.add_reader(listener.sock.fileno(), self._accept, listener)

    # What connections report.

    def handshake_ended(self, address: str) -> None:
        """A connection is not in its handshake any more, in whatever way that came."""
        if address:
            _count_down(self._shaking, network_of(address))

    def timed_out(self, kind: str) -> None:
        self.handler.event("timeout", kind)

    def handshake_done(self, sock: ssl.SSLSocket | TlsSocket) -> None:
        self.handler.event("tls", "resumed" if sock.session_reused else "full")

    def handshake_failed(self, error: Exception) -> None:
        reason = getattr(error, "reason", None)
        self.handler.event("tls_failed", str(reason or type(error).__name__).lower())

    def closed(self, connection: Connection) -> None:
        self.connections.discard(connection)
        address = connection.address
        if address:
            _count_down(self._by_address, network_of(address))
        self.handler.connections_changed(0, 1)

    def clients(self) -> Iterator[tuple[str, int]]:
        """Who has connections, by what the limit per address counts by, and how many."""
        yield from list(self._by_address.items())

    # Timers and the end.

    def _tick(self) -> None:
        # Wound up first: a fault in one connection's limit must not stop all the others'.
        self._ticker = self.loop.call_later(self.deadlines.tick_s, self._tick)
        self.deadlines.tick(time.monotonic())

    def drain(self) -> None:
        """Answer with `Connection: close` from now on and close what is idle."""
        self.closing = True
        for connection in list(self.connections):
            connection.drain()

    def undrain(self) -> None:
        self.closing = False

    def close(self) -> None:
        """Close everything at once."""
        for listener in list(self._listeners):
            self.loop.remove_reader(listener.sock.fileno())
            listener.sock.close()
        self._listeners.clear()
        for connection in list(self.connections):
            connection.abort("stopped")
        if self._ticker is not None:
            self._ticker.cancel()
        with contextlib.suppress(RuntimeError):
            self.disk_threads.shutdown(wait=False, cancel_futures=True)


def _count_down(counter: Counter[str], name: str) -> None:
    left = counter[name] - 1
    if left > 0:
        counter[name] = left
    else:
        del counter[name]
