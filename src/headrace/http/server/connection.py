"""One HTTP/1.x client connection: reads heads, hands them on, sends what it is given.

Everything happens in callbacks on the event loop: a request that is answered from memory creates
no task and meets no await. The edge sees a connection as an `Exchange` (one request and its
response at a time); an HTTP/2 stream is to offer the same methods.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import time

from headrace.http.chunked import LAST_CHUNK, ChunkedDecoder, chunk_head
from headrace.http.message import Field
from headrace.http.parser import BadRequest, RequestHead, find_head_end
from headrace.http.serializer import field_lines, status_line
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import ClientGone
from headrace.http.server.receiving import PIPELINE_BYTES, ReceivingSide
from headrace.http.server.send_queue import Piece, Residency, View
from headrace.http.server.sending import State
from headrace.http.server.timer_wheel import UNWATCHED
from headrace.http.server.tls_context import CertificateContext
from headrace.http.server.tls_socket import TLS_SOCKETS, ClientSocket, TlsSocket
from headrace.http.stream import WANT_READ, WANT_WRITE
from headrace.reasons import Reason

# Looking up a member of an enum takes as long as calling a function.
_HANDSHAKE, _IDLE = State.HANDSHAKE, State.IDLE
_RESPONDING, _LINGERING = State.RESPONDING, State.LINGERING

READ_BYTES = 64 * 1024
TURN_REQUESTS = 16
TURN_REQUESTS_BYTES = 1024 * 1024
LINGER_S = 2.0
FIRST_REQUEST_AT_END_S = 1.0
LINGER_BYTES = 256 * 1024


class Connection(ReceivingSide):
    """A client connection, and the exchange that runs on it.

    The handler gets the connection when a request head is complete, answers with `respond`, or
    with `start`, `queue`, `flushed` and `finish`, and may read the request's body.

    Requests that came in one go are answered in turns, a few at a time, so that a client that
    sends many does not hold up all others. Of those that wait, only so many bytes are kept.
    """

    __slots__ = (
        "_asked_again", "_chunked", "_linger_left", "_searched", "address", "began",
        "connection_requests", "context", "covered", "ended", "head", "head_only", "in_turn",
        "listener", "next_turn", "status",
    )  # fmt: skip

    def __init__(
        self, server: ServerContext, sock: ClientSocket, address: str, listener: str, *, tls: bool
    ) -> None:
        super().__init__(server, sock, tls=tls)
        self.address = address
        self.listener = listener
        self.bucket = UNWATCHED
        self.connection_requests = 0
        self.context: object = None
        self.covered: bytes | None = None  # the authority that the certificate was found to cover
        self.status = 0
        self.began = self.ended = 0.0
        self.head_only = False
        self.head: RequestHead | None = None
        self._chunked = self._asked_again = False
        self._linger_left = 0
        self._searched = 0  # bytes of the buffer in which a head does not end
        self.in_turn = self.next_turn = False
        timeouts = server.timeouts
        self.deadline = server.monotonic() + (timeouts.tls_handshake_s if tls else timeouts.head_s)
        server.loop.add_reader(self._fd, self._on_readable)
        server.timer_wheel.watch(self)

    # Reading.

    def _on_readable(self) -> None:
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
            # Players and pollers repeat themselves: such a head is parsed once.
            known = self._server.head_cache
            head = known.exact.get(data) or known.ranged(data)
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

    def _on_end_of_input(self) -> None:
        self._end_of_input = True
        if self.state is State.RESPONDING:
            # The client may have shut down only its sending side: go on answering.
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

    def _go_on_soon(self) -> None:
        if not self.next_turn:
            self.next_turn = True
            self._server.loop.call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        self.next_turn = False
        self._advance()

    def _take_heads(self) -> None:
        server = self._server
        left, left_bytes = TURN_REQUESTS, TURN_REQUESTS_BYTES
        while self._buffer and self.state in (State.IDLE, State.HEAD):
            if left <= 0 or left_bytes <= 0:
                self._go_on_soon()
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
        """Whether the certificate that this connection showed speaks for a host."""
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

    # Responding.

    def respond(
        self,
        status: int,
        prepared: bytes,
        body: memoryview | None = None,
        residency: Residency | None = None,
        offset: int = 0,
    ) -> None:
        """Send a whole response. `prepared` is a complete head with its blank line, without
        Connection; `body` follows it, unless the request was HEAD.
        """
        self.status = status
        prepared = self._with_connection(prepared)
        self._ended = True
        if body is None or self.head_only:
            self._send_first(prepared)
        elif len(body) <= 16384 and residency is None:
            self._send_first(prepared + body)
        else:
            self._send_joined(prepared, body, residency, offset)

    def _with_connection(self, prepared: bytes) -> bytes:
        """A prepared head with the Connection field that this connection needs, if any."""
        self._settle_keep_alive()
        if self.keep_alive and self.head is not None and self.head.version == (1, 1):
            return prepared
        option = b"keep-alive" if self.keep_alive else b"close"
        return prepared[:-2] + b"Connection: " + option + b"\r\n\r\n"

    def respond_in_pieces(self, status: int, prepared: bytes, pieces: list[View]) -> None:
        """Send a whole response as `respond` does, its body in several pieces, each a view with
        its residency and its offset there.
        """
        self.status = status
        prepared = self._with_connection(prepared)
        self._ended = True
        if len(pieces) == 1 and not self.head_only:
            self._send_joined(prepared, *pieces[0])
            return
        out = self._queue_of()
        out.add(Piece(memoryview(prepared)))
        if not self.head_only:
            for view, residency, offset in pieces:
                out.add(Piece(view, residency, offset))
        self._pump()

    def respond_at_once(self, status: int, whole: bytes) -> None:
        """Send a small response whole, head and body in one, to a request without a body on an
        HTTP/1.1 connection that stays open.
        """
        self.status = status
        self._ended = True
        self._send_first(whole)

    def start(self, status: int, fields: list[Field], body_bytes: int | None) -> None:
        """Send a response head. `body_bytes` None means "not known": chunked, or to the close.

        `fields` must hold no framing and no connection fields.
        """
        self.status = status
        self._settle_keep_alive()
        head = self.head
        old = head is not None and head.version == (1, 0)
        framing = b""
        if body_bytes is not None:
            if status not in (204, 304) or body_bytes:
                framing = b"Content-Length: %d\r\n" % body_bytes
        elif old:
            self.keep_alive = False
        else:
            self._chunked = True
            framing = b"Transfer-Encoding: chunked\r\n"
        connection = b""
        if not self.keep_alive:
            connection = b"Connection: close\r\n"
        elif old:
            connection = b"Connection: keep-alive\r\n"
        lines = status_line(status) + field_lines(fields) + framing + connection + b"\r\n"
        self._queue_of().add(Piece(memoryview(lines)))
        if body_bytes == 0 or self.head_only:
            self._pump()

    def queue(self, view: memoryview, residency: Residency | None = None, offset: int = 0) -> None:
        """Send body bytes after what is already queued. Ignored when the request was HEAD."""
        if self.head_only or not len(view):
            return
        if self.state is not State.RESPONDING:
            raise ClientGone("the client left")
        out = self._queue_of()
        if self._chunked:
            out.add(Piece(memoryview(chunk_head(len(view)))))
        out.add(Piece(view, residency, offset))
        if self._chunked:
            out.add(Piece(memoryview(b"\r\n")))
        self._pump()

    async def flushed(self) -> None:
        """Wait until all that was queued is with the kernel. Raises ClientGone."""
        if self.state is not State.RESPONDING:
            raise ClientGone("the client left")
        if self._out is None or not self._out.size_bytes:
            return
        waiter: asyncio.Future[None] = self._server.loop.create_future()
        self._flush_waiter = waiter
        try:
            await waiter
        finally:
            self._flush_waiter = None
        if self.state is not State.RESPONDING:
            raise ClientGone("the client left")

    def interim(self, status: int, fields: list[Field]) -> None:
        """Send a 1xx response (RFC 9110 section 15.2); never to an HTTP/1.0 client."""
        if self.state is State.RESPONDING and self.head and self.head.version == (1, 1):
            data = status_line(status) + field_lines(fields) + b"\r\n"
            self._queue_of().add(Piece(memoryview(data)))
            self._pump()

    def finish(self, trailers: list[Field] | None = None) -> None:
        """The response is complete: everything of it was given to `queue`."""
        if self.state is not State.RESPONDING:
            return
        if self._chunked and not self.head_only:
            last = LAST_CHUNK
            if trailers:
                last = b"0\r\n" + field_lines(trailers) + b"\r\n"
            self._queue_of().add(Piece(memoryview(last)))
        self._ended = True
        self._pump()

    def discard_unsent(self) -> bool:
        """Forget a response of which nothing has been sent yet; False when it is too late."""
        if self.bytes_sent or self._ended or self.state is not State.RESPONDING:
            return False
        if isinstance(self._sock, TlsSocket) and self._sock.unreported:
            return False
        if self._out is not None:
            self._out.clear()
        self.status = 0
        self._chunked = False
        return True

    def _ask_again(self) -> None:
        if self._asked_again or self.head is None:
            self.abort(Reason.STORE_FAILED.word)
            return
        self._asked_again = True
        self._ended = False
        self.status = 0
        self.context = None
        self._server.handle(self)

    def push(self) -> None:
        """Send what is queued now, instead of together with what comes next."""
        self._pump()

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

    def _settle_keep_alive(self) -> None:
        unread = self._body_left or self._body_decoder is not None
        ended = self._end_of_input and not self._buffer
        if unread or ended or self._server.closing:
            self.keep_alive = False

    def _complete(self) -> None:
        """The response is with the kernel. On to the next request, or to the end."""
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
            if not self.in_turn:  # else `_advance` called us, and goes on by itself
                self._go_on_soon()
        elif self._end_of_input:
            self._close()
        if not self._reading and len(self._buffer) <= PIPELINE_BYTES:
            self._go_on_reading()

    # Time limits and the end.

    def on_deadline(self, now: float) -> None:
        timeouts = self._server.timeouts
        match self.state:
            case State.RESPONDING:
                self._check_progress(now)
            case State.IDLE:
                waited_for = Reason.IDLE if self.connection_requests else Reason.REQUEST_HEAD
                self._server.timed_out(waited_for.word)
                self._close()
            case State.HEAD:
                self._server.timed_out(Reason.REQUEST_HEAD.word)
                self.refuse(BadRequest(408, f"no whole request within {timeouts.head_s:g} s"))
            case State.HANDSHAKE:
                self._server.timed_out(Reason.TLS_HANDSHAKE.word)
                self._close(clean=False)
            case State.LINGERING:
                self._close()
            case State.CLOSED:
                pass

    def _check_progress(self, now: float) -> None:
        if self._body_waiter is not None:
            too_slow = self._received_too_little(now)
        else:
            too_slow = self._sent_too_little(now)
        if too_slow:
            self._server.timed_out(Reason.SLOW_CLIENT.word)
            self.abort(Reason.SLOW_CLIENT.word)

    def drain(self) -> None:
        """The server is closing: end now if idle, else after the present response.

        A request that has arrived is answered, for closing would reset it; a client that has only
        just connected gets a moment to send its first.
        """
        self.keep_alive = False
        if self._is_idle():
            self._on_readable()
        if not self._is_idle():
            return
        if self.connection_requests:
            self._close()
            return
        self.deadline = min(self.deadline, self._server.monotonic() + FIRST_REQUEST_AT_END_S)
        self._server.timer_wheel.watch(self)

    def _is_idle(self) -> bool:
        return self.state is State.IDLE and not self._buffer

    def _linger(self) -> None:
        """Close so that the client gets all of it even if it still sends (RFC 9112 9.6)."""
        self.state = State.LINGERING
        if self._end_of_input:
            self._close()
            return
        try:
            if self.tls and isinstance(self._sock, TLS_SOCKETS):
                with contextlib.suppress(ssl.SSLError):
                    self._sock.unwrap()
                if not isinstance(self._sock, TlsSocket) or self._sock.unsent_bytes:
                    self._close(clean=False)
                    return
            self._sock.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            self._close(clean=False)
            return
        self._buffer = b""
        self._linger_left = LINGER_BYTES
        self.deadline = self._server.monotonic() + LINGER_S
        self._server.timer_wheel.watch(self)
        self._go_on_reading()

    def _handshake(self) -> None:
        sock = self._sock
        assert isinstance(sock, TLS_SOCKETS)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            if not self._writing:
                self._writing = True
                self._server.loop.add_writer(self._fd, self._handshake)
            return
        except (OSError, ValueError) as error:
            self._server.handshake_failed(error)
            self._close(clean=False)
            return
        if self._writing:
            self._writing = False
            self._server.loop.remove_writer(self._fd)
        self._server.handshake_ended(self.address)
        self._server.handshake_done(sock)
        self.state = State.IDLE
        self.deadline = self._server.monotonic() + self._server.timeouts.head_s
        # The client's first request may already be inside OpenSSL, where epoll cannot see it.
        self._on_readable()

    def _close(self, *, clean: bool = True) -> None:
        if self.state is State.CLOSED:
            return
        if self.state is State.HANDSHAKE:
            self._server.handshake_ended(self.address)
        self.state = State.CLOSED
        self._server.timer_wheel.forget(self)
        loop = self._server.loop
        if self._reading:
            loop.remove_reader(self._fd)
        if self._writing:
            loop.remove_writer(self._fd)
        # Who lingers has said the end already.
        if clean and not self._linger_left and isinstance(self._sock, TLS_SOCKETS):
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
        self._sock.close()
        if self._out is not None:
            self._out.clear()
        # Woken, not failed: an exception that stays in a future holds every frame it has passed
        # through, and with these the body's file, until the garbage collector comes round.
        for waiter in (self._flush_waiter, self._body_waiter):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        self._server.closed(self)
