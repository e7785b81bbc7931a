"""Accepts client connections, in bounds, and closes them; what they share is their context's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import socket
import ssl
import time

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
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """One listening socket and what its connections are."""

    __slots__ = ("address", "context", "peers", "sock")

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        context: ssl.SSLContext | None,
        *,
        peers: bool = False,
    ) -> None:
        """`peers`: it is for other servers of the network alone."""
        self.peers = peers
        self.sock = sock
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
        """Take all that already waits in the accept queue, then close.

        What is left in a queue that closes is reset, though its client has done nothing wrong.
        """
        self._listeners.remove(listener)
        self.loop.remove_reader(listener.sock.fileno())
        while self._accept(listener) >= ACCEPTS_PER_WAKE:
            pass
        listener.sock.close()

    def _accept(self, listener: Listener) -> int:
        """Take what waits, in bounds; return how many that were."""
        accepted = 0
        sock = listener.sock
        pace = self.limits.accepts_per_s
        most = ACCEPTS_PER_WAKE if pace == math.inf else ACCEPTS_PER_REST
        while accepted < most:
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
                # The kernel takes the lowest free number: so many are in use.
                client.close()
                self.handler.connections_changed(0, 1)
                self._pause_accepting()
                break
            self._admit(client, peer, listener)
        if accepted:
            self.handler.connections_changed(accepted, 0)
            if pace != math.inf:
                self._rest(accepted / pace)
        return accepted

    def _admit(self, client: socket.socket, peer: object, listener: Listener) -> None:
        address = peer[0] if isinstance(peer, tuple) else ""
        context = listener.context
        reason = self.why_not_admitted(address, tls=context is not None)
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
        self.admitted(address, tls=context is not None)
        made = PeerConnection if listener.peers else Connection
        self.connections.add(made(self, sock, address, listener.address, tls=context is not None))

    def _secured(self, client: socket.socket, context: ssl.SSLContext) -> ClientSocket:
        if self._kernel_tls and context.options & OP_ENABLE_KTLS:
            return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return TlsSocket(client, context, self._tls_outgoing, self._tls_ring)

    def _pause_accepting(self) -> None:
        """Out of descriptors: accepting again at once would only spin."""
        if not self._paused:
            self.handler.event("refused", Reason.DESCRIPTORS.word)
            self._rest(0.5)

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
