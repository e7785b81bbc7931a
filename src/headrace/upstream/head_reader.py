"""Reads an origin's response head off a connection, bounded in bytes, in count and in time.

An origin may be hostile, or be made to answer by somebody who is: what it sends before a final
head, interim responses included, has one bound in bytes for all of it, and interim responses put
off the time limit only a few times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headrace.http.parser import BadResponse, ParsedResponseHead, parse_response_head
from headrace.http.stream import StreamTimeout
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.network import Stream

READ_BYTES = 16 * 1024
LIMIT_BYTES = 256 * 1024
INTERIM_COUNT = 32
INTERIM_PATIENCE = 4
"""With interim responses a head may take so many times its limit (RFC 9110 section 15.2)."""

_END = b"\r\n\r\n"

OnInterim = Callable[[ParsedResponseHead], None]


class HeadReader:
    """Reads the head of the answer to one request.

    `received_bytes` is what came so far; while it is 0, the origin has not begun to answer.
    """

    def __init__(
        self,
        stream: Stream,
        loop: asyncio.AbstractEventLoop,
        scratch: memoryview,
        limit_s: float,
        sending: asyncio.Task[None] | None = None,
        came: bytes = b"",
        since: float | None = None,
    ) -> None:
        """`scratch` is copied from before anything is awaited. While `sending`, which sends the
        request's body, runs, waiting is no failure of the origin. `came` was read before, and
        `since` the loop's time from which on the answer was waited for (None: now)."""
        self._stream = stream
        self._loop = loop
        self._scratch = scratch
        self._limit_s = limit_s
        self._sending = sending
        self._buffer = bytearray(came)
        self._since = loop.time() if since is None else since
        self._began = self._since
        self.received_bytes = len(came)

    async def read(self, method: bytes, on_interim: OnInterim) -> tuple[ParsedResponseHead, bytes]:
        """Return the final head, and the bytes that came behind it. Raises OriginError."""
        interims = 0
        while True:
            head = await self._whole_head()
            try:
                parsed = parse_response_head(head, method)
            except BadResponse as error:
                raise OriginError(Failure.BAD_HEAD, str(error)) from error
            if parsed.status == 101:
                raise OriginError(Failure.BAD_HEAD, "101 without having been asked")
            if parsed.status >= 200:
                return parsed, bytes(self._buffer)
            interims += 1
            if interims > INTERIM_COUNT:
                raise OriginError(Failure.BAD_HEAD, "too many interim responses")
            on_interim(parsed)
            patience_s = self._limit_s * (INTERIM_PATIENCE - 1)
            self._since = min(self._loop.time(), self._began + patience_s)

    async def _whole_head(self) -> bytes:
        buffer = self._buffer
        searched = 0
        while (at := buffer.find(_END, searched)) < 0:
            searched = max(0, len(buffer) - len(_END) + 1)
            if self.received_bytes > LIMIT_BYTES:
                raise OriginError(Failure.BAD_HEAD, f"head over {LIMIT_BYTES} bytes")
            received = await self._receive()
            buffer += self._scratch[:received]
            self.received_bytes += received
        end = at + len(_END)
        head = bytes(buffer[:end])
        del buffer[:end]
        return head

    async def _receive(self) -> int:
        while True:
            left_s = max(0.0, self._since + self._limit_s - self._loop.time())
            try:
                received = await self._stream.recv_into(self._scratch, left_s)
            except StreamTimeout as error:
                if self._sending is not None and not self._sending.done():
                    self._since = self._began = self._loop.time()
                    continue
                raise OriginError(
                    Failure.HEAD_TIMEOUT,
                    f"no whole response head within {self._limit_s:g} s",
                ) from error
            except OSError as error:
                raise OriginError(Failure.HEAD_RESET, f"the connection broke: {error}") from error
            if received:
                return received
            where = "in" if self._buffer else "before"
            raise OriginError(
                Failure.HEAD_RESET, f"the connection was closed {where} the response head"
            )
