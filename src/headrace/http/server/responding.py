"""The responding half of a client connection: heads and bodies put into HTTP/1.1's framing.

What the edge answers with comes in whole, or as a head and then a body; this adds Connection and
the framing, and has `sending` send it.
"""

from __future__ import annotations

import asyncio

from headrace.http.chunked import LAST_CHUNK, chunk_head
from headrace.http.message import Field
from headrace.http.parser import RequestHead
from headrace.http.serializer import field_lines, status_line
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import ClientGone
from headrace.http.server.receiving import ReceivingSide
from headrace.http.server.send_queue import Piece, Residency, View
from headrace.http.server.sending import State
from headrace.http.server.tls_socket import ClientSocket, TlsSocket

_RESPONDING = State.RESPONDING  # an enum's member costs as much as a call
_JOINED_BYTES = 16 * 1024  # so little is copied behind the head


class RespondingSide(ReceivingSide):
    """What `Exchange` says of responses. `Connection` builds on it."""

    __slots__ = ("_chunked", "head", "head_only", "status")

    def __init__(self, server: ServerContext, sock: ClientSocket, *, tls: bool) -> None:
        super().__init__(server, sock, tls=tls)
        self.status = 0
        self.head_only = False
        self.head: RequestHead | None = None
        self._chunked = False

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
            self._send_first(prepared, last=not self.keep_alive)
        elif len(body) <= _JOINED_BYTES and residency is None:
            self._send_first(prepared + body, last=not self.keep_alive)
        else:
            self._send_joined(prepared, body, residency, offset)

    def _with_connection(self, prepared: bytes) -> bytes:
        """Return a prepared head with the Connection field that this connection needs, if any."""
        if (
            self._body_left
            or self._body_decoder is not None
            or self._end_of_input
            or self._server.closing
        ):
            self._settle_keep_alive()
        head = self.head
        if self.keep_alive and head is not None and head.version == (1, 1):
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
        if self.state is not _RESPONDING:
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
        if self.state is not _RESPONDING:
            raise ClientGone("the client left")
        if self._out is None or not self._out.size_bytes:
            return
        waiter: asyncio.Future[None] = self._server.loop.create_future()
        self._flush_waiter = waiter
        try:
            await waiter
        finally:
            self._flush_waiter = None
        if self.state is not _RESPONDING:
            raise ClientGone("the client left")

    def interim(self, status: int, fields: list[Field]) -> None:
        """Send a 1xx response (RFC 9110 section 15.2); never to an HTTP/1.0 client."""
        if self.state is _RESPONDING and self.head and self.head.version == (1, 1):
            data = status_line(status) + field_lines(fields) + b"\r\n"
            self._queue_of().add(Piece(memoryview(data)))
            self._pump()

    def finish(self, trailers: list[Field] | None = None) -> None:
        """End the response: everything of it was given to `queue`."""
        if self.state is not _RESPONDING:
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
        if self.bytes_sent or self._ended or self.state is not _RESPONDING:
            return False
        if isinstance(self._sock, TlsSocket) and self._sock.unreported:
            return False
        if self._out is not None:
            self._out.clear()
        self.status = 0
        self._chunked = False
        return True

    def push(self) -> None:
        """Send what is queued now, instead of together with what comes next."""
        self._pump()

    def _settle_keep_alive(self) -> None:
        unread = self._body_left or self._body_decoder is not None
        ended = self._end_of_input and not self._buffer
        if unread or ended or self._server.closing:
            self.keep_alive = False
