"""Carries out one request to one origin over a kept-alive connection. Decides nothing else.

One per worker. What to ask of whom, and what to do when it fails, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace.http.chunked import LAST_CHUNK, chunk_head
from headrace.http.message import Field
from headrace.http.methods import IDEMPOTENT
from headrace.http.parser import ParsedResponseHead
from headrace.http.serializer import request_head
from headrace.http.stream import StreamTimeout
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.head_reader import READ_BYTES, HeadReader, OnInterim
from headrace.upstream.head_start import HeadStart
from headrace.upstream.idle_connections import IdleConnections
from headrace.upstream.network import Network, Stream
from headrace.upstream.response import OriginResponse

ReadBody = Callable[[], Awaitable[bytes]]


class ConnectionStale(OriginError):
    """The connection broke before a byte of the response came: the request may not be read."""


@dataclass(frozen=True, slots=True)
class OriginTimeouts:
    """Time limits for origins, in seconds."""

    connect_s: float = 3.0
    first_byte_s: float = 15.0
    between_bytes_s: float = 10.0
    idle_s: float = 30.0


@dataclass(slots=True)
class RequestBody:
    """A request body to send: `read` returns pieces until b"". `size_bytes` None means chunked.

    With `wait_for_100` the body is sent when the origin says 100, or has said nothing for a while
    (RFC 9110 section 10.1.1).
    """

    read: ReadBody
    size_bytes: int | None
    wait_for_100: bool = False


class OriginClient:
    """Requests to origins, with a pool of idle connections for each.

    A connection that carried a request with content is never used again: an origin that ignores
    content takes it for the next request, and its response would be another client's.
    """

    WAIT_FOR_100_S = 1.0

    def __init__(
        self, loop: asyncio.AbstractEventLoop, network: Network, timeouts: OriginTimeouts
    ) -> None:
        self._timeouts = timeouts
        self._loop = loop
        self._network = network
        self.scratch = memoryview(bytearray(READ_BYTES))
        self.idle = IdleConnections(loop, timeouts.idle_s, network.moved)

    @property
    def timeouts(self) -> OriginTimeouts:
        """How long origins are waited for."""
        return self._timeouts

    @timeouts.setter
    def timeouts(self, timeouts: OriginTimeouts) -> None:
        """How long origins are waited for."""
        self._timeouts = timeouts
        self.idle.idle_s = timeouts.idle_s

    async def request(
        self,
        endpoint: Endpoint,
        method: bytes,
        target: bytes,
        fields: list[Field],
        *,
        body: RequestBody | None = None,
        on_interim: OnInterim | None = None,
        timeouts: OriginTimeouts | None = None,
        start: HeadStart | None = None,
    ) -> OriginResponse:
        """Send a request and read the response's head. `fields` include Host and framing;
        `timeouts` are for this request only; `start` is the same request, sent already.

        A kept-alive connection that the origin closed meanwhile is replaced once, silently: when
        not a byte of an answer came, the method is idempotent and no body was sent. Raises
        OriginError.
        """
        if start is not None and start.head:
            head = start.head
        else:
            head = request_head(method, endpoint.prefix + target, fields)
        limits = timeouts or self._timeouts
        if body is None and method in IDEMPOTENT:
            stream = self.idle.take(endpoint) if start is None else start.taken_up()
            if stream is not None:
                try:
                    return await self._exchange(
                        endpoint, stream, method, head, None, on_interim, limits, start
                    )
                except ConnectionStale:
                    pass  # as if it had not been kept
        stream = await self._network.connect(endpoint, limits.connect_s)
        return await self._exchange(endpoint, stream, method, head, body, on_interim, limits)

    async def _exchange(
        self,
        endpoint: Endpoint,
        stream: Stream,
        method: bytes,
        head: bytes,
        body: RequestBody | None,
        on_interim: OnInterim | None,
        limits: OriginTimeouts,
        start: HeadStart | None = None,
    ) -> OriginResponse:
        sending: asyncio.Task[None] | None = None
        may_send = asyncio.Event()
        try:
            try:
                unsent = head if start is None else start.unsent
                await stream.send_all(unsent, limits.between_bytes_s)
            except (OSError, StreamTimeout) as error:
                raise ConnectionStale(Failure.SEND, f"the request broke off: {error}") from error
            if body is not None:
                if not body.wait_for_100:
                    may_send.set()
                sending = self._loop.create_task(self._send_body(stream, body, may_send))
                sending.add_done_callback(lambda task: _stop_if_unreadable(task, stream))

            def interim(response: ParsedResponseHead) -> None:
                if response.status == 100:
                    may_send.set()
                if on_interim is not None:
                    on_interim(response)

            read = None if start is None else start.final_head()
            if read is None:
                came, since = (b"", None) if start is None else (start.received, start.began)
                reader = HeadReader(
                    stream, self._loop, self.scratch, limits.first_byte_s, sending, came, since
                )
                try:
                    read = await reader.read(method, interim)
                except OriginError as error:
                    if error.failure is Failure.HEAD_RESET and not reader.received_bytes:
                        raise ConnectionStale(error.failure, str(error)) from error
                    raise
            parsed, early = read
        except BaseException:
            if sending is not None:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError, OriginError):
                    await sending
            stream.close()
            raise
        return OriginResponse(
            parsed,
            stream,
            early,
            limits.between_bytes_s,
            None if body is not None else lambda idle: self.idle.keep(endpoint, idle),
            sending,
        )

    async def _send_body(self, stream: Stream, body: RequestBody, may_send: asyncio.Event) -> None:
        if not may_send.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.WAIT_FOR_100_S):
                    await may_send.wait()
        limit_s = self.timeouts.between_bytes_s
        while True:
            piece = await body.read()
            try:
                if body.size_bytes is not None:
                    if not piece:
                        return
                    await stream.send_all(piece, limit_s)
                elif piece:
                    await stream.send_all(chunk_head(len(piece)) + piece + b"\r\n", limit_s)
                else:
                    await stream.send_all(LAST_CHUNK, limit_s)
                    return
            except (OSError, StreamTimeout) as error:
                raise OriginError(Failure.SEND, f"the request's body broke off: {error}") from error

    def close(self) -> None:
        """Close every idle connection."""
        self.idle.close()


def _stop_if_unreadable(sending: asyncio.Task[None], stream: Stream) -> None:
    """Close the connection if the body cannot be read: there is nothing to wait for any more.

    When the origin does not take it, its response may be on the way all the same.
    """
    if sending.cancelled():
        return
    error = sending.exception()
    if error is not None and not isinstance(error, OriginError):
        stream.close()
