"""One HTTP/1.x client connection: reads heads, hands them on, sends what it is given.

Everything happens in callbacks on the event loop: a request that is answered from memory creates
no task and meets no await. The edge sees a connection as an `Exchange` (one request and its
response at a time); an HTTP/2 stream is to offer the same methods.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import time

from msgspec.structs import replace

from headrace.http.chunked import ChunkedDecoder
from headrace.http.parser import BadRequest, RequestHead, find_head_end
from headrace.http.server.context import ServerContext
from headrace.http.server.ending import EndingSide
from headrace.http.server.exchange import NO_FLOWS
from headrace.http.server.receiving import PIPELINE_BYTES
from headrace.http.server.sending import State
from headrace.http.server.timer_wheel import UNWATCHED
from headrace.http.server.tls_context import CertificateContext, ClientCertificate, shown_by
from headrace.http.server.tls_socket import TLS_SOCKETS, ClientSocket, TlsSocket
from headrace.http.stream import WANT_READ, WANT_WRITE
from headrace.reasons import Reason

# Looking up a member of an enum takes as long as calling a function.
_HANDSHAKE, _IDLE, _CLOSED = State.HANDSHAKE, State.IDLE, State.CLOSED
_RESPONDING, _LINGERING = State.RESPONDING, State.LINGERING

READ_BYTES = 64 * 1024
TURN_REQUESTS = 16
TURN_REQUESTS_BYTES = 1024 * 1024


class Connection(EndingSide):
    """A client connection, and the exchange that runs on it.

    The handler gets the connection when a request head is complete, answers with `respond`, or
    with `start`, `queue`, `flushed` and `finish`, and may read the request's body.

    Requests that came in one go are answered in turns, a few at a time, so that a client that
    sends many does not hold up all others. Of those that wait, only so many bytes are kept.
    """

    __slots__ = (
        "_asked_again", "_searched", "began", "context", "covered", "ended", "flows", "in_turn",
        "listener", "next_turn",
    )  # fmt: skip
    peers_only = False
    client_certificate: ClientCertificate | None = None

    def __init__(
        self, server: ServerContext, sock: ClientSocket, address: str, listener: str, *, tls: bool
    ) -> None:
        super().__init__(server, sock, address, tls=tls)
        self.listener = listener
        self.bucket = UNWATCHED
        self.context: object = None
        self.flows = NO_FLOWS
        self.covered: bytes | None = None  # the authority that the certificate was found to cover
        self.began = self.ended = 0.0
        self._asked_again = False
        self._searched = 0  # bytes of the buffer in which a head does not end
        self.in_turn = self.next_turn = False
        timeouts = server.timeouts
        self.deadline = server.monotonic() + (timeouts.tls_handshake_s if tls else timeouts.head_s)

    def begin(self) -> None:
        """Read what has come with the connection, and wait for more unless that was its end.

        A client sends its first request right behind the handshake of TCP, so most often it is
        there, and one that wants no second answer is never waited for at all.
        """
        try:
            if not self.tls:
                self._on_readable()
        finally:
            if self.state is not _CLOSED:
                self._server.timer_wheel.watch(self)
                if len(self._buffer) <= PIPELINE_BYTES:
                    self._continue_reading()

    # Reading.

    def _on_readable(self) -> None:
        try:
            state = self.state
            if state is _HANDSHAKE:
                self._handshake()
                return
            try:
                if state is _LINGERING and isinstance(self._sock, TlsSocket):
                    data = self._sock.discard(READ_BYTES)
                else:
                    data = self._sock.recv(READ_BYTES)
            except WANT_READ:
                return
            except WANT_WRITE:
                return
            except OSError as error:
                self._client_failed(error)
                return
            if state is _IDLE and not self._buffer:
                # Players and pollers repeat themselves: such a head is parsed once. What comes in
                # one piece, as nearly all do, needs no buffer.
                known = self._server.head_cache
                head = known.exact.get(data) or known.read(data)
                if head is not None:
                    self._begin(head)
                    self._server.handle(self)
                    return
            if not data:
                self._on_end_of_input()
            elif state is _LINGERING:
                self._linger_left -= len(data)
                if self._linger_left < 0:
                    self._close()
            else:
                self._received += len(data)
                self._buffer = self._buffer + data if self._buffer else data
                if state is _RESPONDING or self.next_turn:
                    self._input_while_responding()
                else:
                    self._advance()
        except Exception as error:  # noqa: BLE001 - what no one ends stays for ever
            self._broke(error)

    def _on_end_of_input(self) -> None:
        self._end_of_input = True
        if self.state is State.RESPONDING:
            # The client may have shut down only its sending side: continue to answer.
            self._stop_reading()
            if self._body_waiter is not None:
                self._wake_body()
        elif self.next_turn:
            self._stop_reading()
        elif self.state is State.HEAD:
            self.abort(Reason.CLIENT_GONE.word)
        else:
            self._close()

    def _input_while_responding(self) -> None:
        if self._body_waiter is not None:
            self._wake_body()
        if len(self._buffer) > PIPELINE_BYTES:
            self._stop_reading()

    def _advance(self) -> None:
        """Take request heads off the buffer until one must wait, none is whole, or others' turn
        has come.
        """
        self.in_turn = True
        try:
            self._take_heads()
        finally:
            self.in_turn = False
        if self._end_of_input and not self.next_turn and self.state in (State.IDLE, State.HEAD):
            self._close()

    def _continue_soon(self) -> None:
        if not self.next_turn:
            self.next_turn = True
            self._server.loop.call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        self.next_turn = False
        try:
            self._advance()
        except Exception as error:  # noqa: BLE001 - as above
            self._broke(error)

    def _take_heads(self) -> None:
        server = self._server
        left, left_bytes = TURN_REQUESTS, TURN_REQUESTS_BYTES
        while self._buffer and self.state in (State.IDLE, State.HEAD):
            if left <= 0 or left_bytes <= 0:
                self._continue_soon()
                return
            left -= 1
            try:
                end = find_head_end(self._buffer, server.head_limits, self._searched)
                if end < 0:
                    self._await_head()
                    return
                buffer = self._buffer
                if end == len(buffer):
                    self._buffer = b""
                    head = server.parser.parse(buffer)
                else:
                    self._buffer = buffer[end:]
                    head = server.parser.parse(buffer[:end])
            except BadRequest as error:
                self.refuse(error)
                return
            server.head_cache.remember(buffer[:end], head)
            self._begin(head)
            server.handle(self)
            left_bytes -= self.bytes_sent

    def _await_head(self) -> None:
        self._searched = len(self._buffer)
        if self.state is State.IDLE:
            self.state = State.HEAD
            self.deadline = self._server.monotonic() + self._server.timeouts.head_s
            self._server.timer_wheel.watch(self)

    def _begin(self, head: RequestHead) -> None:
        self.state = _RESPONDING
        self.head = head
        self._searched = 0
        self.began = time.monotonic()
        self.deadline = math.inf
        self.connection_requests += 1
        self.bytes_sent = 0
        self.status = 0
        self.first_byte = 0.0
        self.head_only = head.method == b"HEAD"
        self.keep_alive = (
            head.keep_alive
            and not self._server.closing
            and self.connection_requests < self._server.requests_per_connection
        )
        self._body_left = head.body_bytes
        self._ended = self._chunked = self._asked_again = False
        if head.body_bytes < 0:
            self._body_decoder = ChunkedDecoder()

    def certificate_covers(self, host: str) -> bool:
        """Return whether the certificate that this connection showed speaks for a host."""
        if isinstance(self._sock, TLS_SOCKETS):
            context = self._sock.context
            return not isinstance(context, CertificateContext) or context.speaks_for(host)
        return True

    @property
    def tls_version(self) -> str | None:
        """The TLS version in use, None on a plain or closed connection."""
        if isinstance(self._sock, TLS_SOCKETS):
            return self._sock.version()
        return None

    def _ask_again(self) -> None:
        if self._asked_again or self.head is None:
            self.abort(Reason.STORE_FAILED.word)
            return
        self._asked_again = True
        self._ended = False
        self.status = 0
        self.context = None
        self._server.handle(self)

    def refuse(self, error: BadRequest) -> None:
        """Answer a request that cannot be understood, and close."""
        if self.state is not State.RESPONDING:
            self.began = time.monotonic()
            self.state = State.RESPONDING
            self.head = None
            self.head_only = False
            self.bytes_sent = 0
        self.keep_alive = False
        self._ended = self._chunked = False
        self._server.refused(self, error)

    def abort(self, reason: str) -> None:
        """Break the connection so that the client cannot take what it has for a whole body."""
        if self.state is State.CLOSED:
            return
        if not self.tls and self._out is not None:
            # A reset, not an orderly end: a body framed by the close must not look complete.
            with contextlib.suppress(OSError):
                self._sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
                )
        responding = self.state is State.RESPONDING
        self.ended = time.monotonic()
        self._close(clean=False)
        if responding:
            self._server.finished(self, reason)
        self.context = self.head = None

    def _complete(self) -> None:
        """Turn to the next request, or to the end: the response is with the kernel."""
        server = self._server
        unread = self._body_left != 0 or self._body_decoder is not None
        lingers = unread or not self.keep_alive
        now = self.ended = time.monotonic()
        server.finished(self, "complete")
        self.head = None
        self.context = None
        self._body_decoder = None
        self._body_left = 0
        self._pace = None
        if lingers:
            # Only where more may still be coming: closing then would cut off our own answer.
            if unread or self._buffer or self.status >= 400:
                self._linger()
            else:
                self._close()
            return
        self.state = _IDLE
        self.deadline = deadline = now + server.timeouts.idle_s
        bucket = self.bucket
        if bucket < 0 or deadline < bucket * server.timer_wheel.tick_s:
            server.timer_wheel.watch(self)
        if self._buffer:
            if not self.in_turn:  # else `_advance` called us, and continues by itself
                self._continue_soon()
        elif self._end_of_input:
            self._close()
        if not self._reading and len(self._buffer) <= PIPELINE_BYTES:
            self._continue_reading()

    def _handshake(self) -> None:
        sock = self._sock
        assert isinstance(sock, TLS_SOCKETS)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            if self._writing:
                self._handshake_writes(False)
            return
        except ssl.SSLWantWriteError:
            self._handshake_writes(True)
            return
        except (OSError, ValueError) as error:
            self._server.handshake_failed(error)
            self._close(clean=False)
            return
        if self._writing:
            self._handshake_writes(False)
        server = self._server
        server.handshake_ended(self.address)
        server.handshake_done(sock)
        self.state = _IDLE
        self.deadline = server.monotonic() + server.timeouts.head_s
        # The client's first request may already be inside OpenSSL, where epoll cannot see it.
        if not isinstance(sock, TlsSocket):
            self._on_readable()
            return
        if sock.has_input:
            self._on_readable()
        sock.send_answers()

    def _handshake_writes(self, waits: bool) -> None:
        if waits is self._writing:
            return
        self._writing = waits
        if waits:
            # What more the client sends waits as well, for it would only wake us.
            self._stop_reading()
            self._server.loop.add_writer(self._fd, self._on_readable)  # shakes hands
        else:
            self._server.loop.remove_writer(self._fd)
            self._continue_reading()


class PeerConnection(Connection):
    """A connection on an address that is for other servers of the network alone."""

    __slots__ = ()
    peers_only = True

    @property
    def client_certificate(self) -> ClientCertificate | None:  # type: ignore[override]
        """The certificate that a server had to show; None where it had not."""
        sock = self._sock
        if isinstance(sock, TlsSocket):
            return sock.client_certificate()
        return shown_by(sock) if isinstance(sock, ssl.SSLSocket) else None

    def _begin(self, head: RequestHead) -> None:
        """Let no request take the short way, on which no one asks who it is from."""
        super()._begin(replace(head, plain=False, lone_range=None))
