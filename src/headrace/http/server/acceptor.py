"""Accepts client connections, in bounds, and closes them; what they share is their context's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import socket
import ssl
import time

from headrace.http.client_network import network_of
from headrace.http.server.connection import Connection, PeerConnection
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import Handler
from headrace.http.server.tls_ring import Ring, new_ring
from headrace.http.server.tls_socket import (
    OP_ENABLE_KTLS,
    ClientSocket,
    TlsSocket,
    kernel_offers_tls,
)
from headrace.reasons import Reason

ACCEPTS_PER_WAKE = 64
ACCEPTS_PER_REST = 8
NO_USE_REST_S = 0.5
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """One listening socket and what its connections are."""

    __slots__ = ("address", "backlog", "context", "family", "kind", "peers", "sock")

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        context: ssl.SSLContext | None,
        *,
        peers: bool = False,
        backlog: int = socket.SOMAXCONN,
    ) -> None:
        """`peers`: it is for other servers of the network alone. `backlog`: as `sock` has it."""
        self.backlog = backlog
        self.peers = peers
        self.sock = sock
        # Numbers: a socket's own are members of an enum, made anew each time they are asked for.
        self.family, self.kind = int(sock.family), int(sock.type)
        self.address = address
        self.context = context


class Server(ServerContext):
    """All connections of one worker."""

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(handler, loop)
        self._tls_outgoing = ssl.MemoryBIO()
        self._tls_ring: Ring | None = None
        self._tls_prepared = False
        self._kernel_tls = kernel_offers_tls()
        self._listeners: list[Listener] = []
        self._paused = False
        self._ticker: asyncio.TimerHandle | None = None
        self._tick()

    def prepare_tls(self) -> bool:
        """Return whether windows of TLS can be sent from where OpenSSL writes them; the first call
        finds that out, and connections that are accepted before do without.
        """
        if not self._tls_prepared:
            self._tls_prepared = True
            self._tls_ring = new_ring()
            if self._tls_ring is None:
                self.handler.event("tls_windows", "")
        return self._tls_ring is not None

    # Accepting.

    def listen(self, listener: Listener) -> None:
        """Accept connections on a socket from now on."""
        self._listeners.append(listener)
        if not self._paused:
            self.loop.add_reader(listener.sock.fileno(), self._accept, listener)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The sockets that connections are accepted on."""
        return tuple(self._listeners)

    def stop_listening(self, listener: Listener) -> None:
        """Take all that already waits in the accept queue, whatever the pace, then close.

        What is left in a queue that closes is reset, though its client has done nothing wrong. But
        clients that come as fast as they are taken are waited out by no one: what is taken is at
        most what a queue holds.
        """
        self._listeners.remove(listener)
        self.loop.remove_reader(listener.sock.fileno())
        left = listener.backlog + 1  # the kernel lets in one more
        while left > 0 and (taken := self._accept(listener)):
            left -= taken
        listener.sock.close()

    def stop(self) -> None:
        """Take who waits, accept nobody any more, and drain."""
        self.closing = True  # first, so that those who are answered at once are told so
        for listener in self.listeners:
            self.stop_listening(listener)
        self.drain()

    def _accept(self, listener: Listener) -> int:
        """Take what waits, in bounds; return how many that were."""
        accepted = failed = 0
        # What `accept` calls, and then it asks for family and type, each a member of an enum, and
        # takes twice the time.
        accept = listener.sock._accept  # type: ignore[attr-defined]
        let_in: list[Connection] = []
        pace = self.limits.accepts_per_s
        most = ACCEPTS_PER_WAKE if pace == math.inf else ACCEPTS_PER_REST
        try:
            while accepted < most:
                try:
                    descriptor, peer = accept()
                except (BlockingIOError, InterruptedError):
                    break
                except OSError as error:
                    if error.errno in NO_DESCRIPTORS:
                        self._pause_accepting()
                        break
                    # Else the client gave up while it waited (ECONNABORTED and its like), or the
                    # socket is of no use any more, which the loop would report over and over.
                    failed += 1
                    if failed < ACCEPTS_PER_WAKE:
                        continue
                    self.loop.call_exception_handler(
                        {"message": "no client can be accepted", "exception": error}
                    )
                    self._rest(NO_USE_REST_S)
                    break
                accepted += 1
                if descriptor >= self.limits.descriptors:
                    # The kernel takes the lowest free number: so many are in use.
                    os.close(descriptor)
                    self.handler.connections_changed(0, 1)
                    self._pause_accepting()
                    break
                connection = self._admit(descriptor, peer, listener)
                if connection is not None:
                    let_in.append(connection)
        finally:
            self.handler.connections_changed(accepted, 0)
            self._begin_all(let_in)
        if accepted and pace != math.inf:
            self._rest(accepted / pace)
        return accepted

    def _begin_all(self, let_in: list[Connection]) -> None:
        for connection in let_in:
            try:
                connection.begin()
            except Exception as error:  # noqa: BLE001 - the others go on
                self.loop.call_exception_handler(
                    {"message": "a new client connection failed", "exception": error}
                )

    def _admit(self, descriptor: int, peer: object, listener: Listener) -> Connection | None:
        address = peer[0] if isinstance(peer, tuple) else ""
        network = network_of(address)
        context = listener.context
        tls = context is not None
        reason = self.why_not_admitted(network, tls=tls)
        if reason:
            self.handler.event("refused", reason)
            self.handler.connections_changed(0, 1)
            os.close(descriptor)
            return None
        sock: ClientSocket
        try:
            if context is None:
                # Of the type below `socket.socket`: it is made and closed without Python's code.
                sock = socket.SocketType(listener.family, listener.kind, 0, descriptor)
                sock.setblocking(False)
            else:
                sock = self._secured(listener, descriptor, context)
        except OSError:
            self.handler.connections_changed(0, 1)
            return None
        self.admitted(network, tls=tls)
        made = PeerConnection if listener.peers else Connection
        connection = made(self, sock, address, listener.address, tls=tls)
        self.connections.add(connection)
        return connection

    def _secured(
        self, listener: Listener, descriptor: int, context: ssl.SSLContext
    ) -> ClientSocket:
        by_kernel = self._kernel_tls and context.options & OP_ENABLE_KTLS
        made = socket.socket if by_kernel else socket.SocketType
        client = made(listener.family, listener.kind, 0, descriptor)
        try:
            client.setblocking(False)
            if isinstance(client, socket.socket):
                return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
            return TlsSocket(client, context, self._tls_outgoing, self._tls_ring)
        except OSError:
            client.close()
            raise

    def _pause_accepting(self) -> None:
        """Out of descriptors: accepting again at once would only spin."""
        if not self._paused:
            self.handler.event("refused", Reason.DESCRIPTORS.word)
            self._rest(NO_USE_REST_S)

    def _rest(self, rest_s: float) -> None:
        """Accept nobody for a while, unless it is one already."""
        if self._paused:
            return
        self._paused = True
        for listener in self._listeners:
            self.loop.remove_reader(listener.sock.fileno())
        self.loop.call_later(rest_s, self._continue_accepting)

    def _continue_accepting(self) -> None:
        self._paused = False
        for listener in self._listeners:
            self.loop.add_reader(listener.sock.fileno(), self._accept, listener)

    # Timers and the end.

    def _tick(self) -> None:
        # Wound up first: a fault in one connection's limit must not stop all the others'.
        self._ticker = self.loop.call_later(self.timer_wheel.tick_s, self._tick)
        self.timer_wheel.tick(time.monotonic())

    def drain(self) -> None:
        """Answer with `Connection: close` from now on and close what is idle."""
        self.closing = True
        for connection in list(self.connections):
            connection.drain()

    def undrain(self) -> None:
        """Keep connections open again."""
        self.closing = False

    def close(self) -> None:
        """Close everything at once."""
        for listener in list(self._listeners):
            self.loop.remove_reader(listener.sock.fileno())
            listener.sock.close()
        self._listeners.clear()
        for connection in list(self.connections):
            connection.abort(Reason.STOPPED.word)
        if self._ticker is not None:
            self._ticker.cancel()
        with contextlib.suppress(RuntimeError):
            self.disk_threads.shutdown(wait=False, cancel_futures=True)
