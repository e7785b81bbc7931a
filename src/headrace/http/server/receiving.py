"""The receiving half of a client connection: a buffer, and the request's body read from it.

Heads are `connection`'s. A body is read only as fast as it is asked for.
"""

from __future__ import annotations

import asyncio

from headrace.http.chunked import BadChunking, ChunkedDecoder
from headrace.http.parser import BadRequest
from headrace.http.server.body_pace import BodyPace
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import ClientGone
from headrace.http.server.sending import SendingSide, State
from headrace.http.server.tls_socket import ClientSocket

PIPELINE_BYTES = 64 * 1024


class ReceivingSide(SendingSide):
    """A socket with a buffer of what came and was not used yet. `Connection` builds on it."""

    __slots__ = (
        "_body_decoder", "_body_left", "_body_waiter", "_buffer", "_end_of_input", "_pace",
        "_reading", "_received", "keep_alive",
    )  # fmt: skip

    def __init__(self, server: ServerContext, sock: ClientSocket, *, tls: bool) -> None:
        super().__init__(server, sock, tls=tls)
        self._buffer = b""
        self._body_left = 0
        self._body_decoder: ChunkedDecoder | None = None
        self._pace: BodyPace | None = None
        self._body_waiter: asyncio.Future[None] | None = None
        self._end_of_input = False
        self._received = 0
        self._reading = False
        self.keep_alive = True

    def _on_readable(self) -> None:
        raise NotImplementedError

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._server.loop.remove_reader(self._fd)

    def _continue_reading(self) -> None:
        if not self._reading and not self._end_of_input:
            self._reading = True
            self._server.loop.add_reader(self._fd, self._on_readable)

    @property
    def has_body(self) -> bool:
        """Whether part of the request's body has not been read yet."""
        return self._body_left != 0 or self._body_decoder is not None

    async def read_body(self) -> bytes:
        """Return the next bytes of the request's body, b"" at its end.

        Raises ClientGone when the client leaves or is too slow, BadRequest on malformed chunks.
        """
        while self.has_body:
            if self._buffer:
                piece = self._take_body()
                if piece:
                    return piece
                continue
            if self._end_of_input or self.state is not State.RESPONDING:
                raise ClientGone("the client left before the end of its request")
            await self._wait_for_body()
        return b""

    def _take_body(self) -> bytes:
        data, self._buffer = self._buffer, b""
        self._continue_reading()
        decoder = self._body_decoder
        if decoder is None:
            piece = data[: self._body_left]
            self._body_left -= len(piece)
            self._buffer = data[len(piece) :]
            return piece
        try:
            pieces = decoder.feed(data)
        except BadChunking as error:
            self.keep_alive = False
            raise BadRequest(400, str(error)) from error
        if decoder.complete:
            self._body_decoder = None
            self._body_left = 0
            self._buffer = decoder.rest
        return b"".join(pieces)

    async def _wait_for_body(self) -> None:
        self._continue_reading()
        waiter: asyncio.Future[None] = self._server.loop.create_future()
        self._body_waiter = waiter
        server = self._server
        pace = self._pace
        if pace is None:
            pace = self._pace = BodyPace(self._received, server.timeouts.rate_window_s)
        self.deadline = pace.wait(server.monotonic())
        server.timer_wheel.watch(self)
        try:
            await waiter
        finally:
            self._body_waiter = None
            pace.got(server.monotonic())

    def _wake_body(self) -> None:
        waiter = self._body_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _received_too_little(self, now: float) -> bool:
        """Return whether the client has sent less of its body than the minimum rate asks."""
        pace = self._pace
        assert pace is not None
        slow = pace.is_too_slow(now, self._received, self._server.timeouts.min_rate_bytes_per_s)
        pace.got(now)
        self.deadline = pace.wait(now)
        return slow
