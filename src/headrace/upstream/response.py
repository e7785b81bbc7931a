"""A response that is being received from an origin: its head, then its body piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from headrace.errors import release_frames
from headrace.http.chunked import BadChunking, ChunkedDecoder
from headrace.http.message import Field
from headrace.http.parser import ParsedResponseHead
from headrace.http.stream import StreamTimeout
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.network import Stream

CHUNK_READ_BYTES = 64 * 1024
FEW_PIECES = 8
TURN_BYTES = 512 * 1024
"""An origin that is faster than we are must not keep the loop to itself: with twice as much, hits
beside misses had to wait a sixth longer."""
LEAST_TURN_BYTES = TURN_BYTES // 16
"""A read counts for so much at least, for pieces may be of a byte each."""


class OriginResponse:
    """A response head and the rest of the connection.

    `read_into` brings the decoded body. `timeout_s` bounds the wait for each piece.

    The connection is passed to `release` when nothing can be left over on it: there is a
    `release` (the client passes one for requests without content), the head's framing is certain
    and keeps the connection alive, the body was read to its end, and not a byte came behind it. In
    every other case it is closed. Whatever is left over would be the next request's response.
    """

    def __init__(
        self,
        head: ParsedResponseHead,
        stream: Stream,
        early: bytes,
        between_bytes_s: float,
        release: Callable[[Stream], None] | None,
        sending: asyncio.Task[None] | None = None,
    ) -> None:
        self.head = head
        self.trailers: list[Field] = []
        self.complete = False
        self.sending = sending
        self.received_bytes = 0
        self._turn_bytes = 0
        self._ended: Callable[[], None] | None = None
        self._stream = stream
        self._early = early
        self._broke: OSError | None = None
        self._left = head.body_bytes
        self.timeout_s = between_bytes_s
        self._release = release
        self._decoder = ChunkedDecoder() if head.body_bytes == -1 else None
        self._decoded: list[memoryview] = []
        if self._left == 0:
            self._finish()

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    @property
    def length(self) -> int | None:
        """Return the body's length in bytes when the head says it."""
        return self.head.body_bytes if self.head.body_bytes >= 0 else None

    async def read_into(self, buffer: memoryview) -> int:
        """Put the next body bytes into `buffer`; 0 at the body's end.

        Nothing touches `buffer` while this waits, only just before it returns: every response of
        a worker may use the same one.

        Raises OriginError when the body ends early, stalls, or is malformed.
        """
        if self.complete:
            return 0
        if self._decoder is not None:
            return await self._read_chunked(buffer, self._decoder)
        if self._left >= 0:
            buffer = buffer[: self._left]
        received = await self._read_raw(buffer)
        if self._left >= 0:
            if not received:
                raise self._fail(Failure.BODY_SHORT, f"the body ended {self._left} bytes early")
            self._left -= received
            if not self._left:
                self._finish()
        elif not received:
            self._finish()
        return received

    async def _read_raw(self, buffer: memoryview) -> int:
        early = self._early
        if early:
            size = min(len(early), len(buffer))
            buffer[:size] = early[:size]
            self._early = early[size:]
            if size < len(buffer):
                size += self._more(buffer[size:])
            self.received_bytes += size
            self._turn_bytes += max(size, LEAST_TURN_BYTES)
            return size
        if self._turn_bytes >= TURN_BYTES:
            self._turn_bytes = 0
            await asyncio.sleep(0)
        try:
            broke, self._broke = self._broke, None
            if broke is not None:
                raise broke
            received = await self._stream.recv_into(buffer, self.timeout_s)
        except StreamTimeout as error:
            raise self._fail(Failure.BODY_TIMEOUT, f"the body stalled: {error}") from error
        except OSError as error:
            raise self._fail(Failure.BODY_RESET, f"the connection broke: {error}") from error
        self.received_bytes += received
        self._turn_bytes += max(received, LEAST_TURN_BYTES)
        return received

    def _more(self, buffer: memoryview) -> int:
        """Read what is there behind what came with the head: one piece is cheaper than two. An end
        is found again by the next read, and an error, which a socket tells once, is kept for it.
        """
        try:
            return self._stream.recv_now(buffer) or 0
        except OSError as error:
            release_frames(error)
            self._broke = error
            return 0

    async def _read_chunked(self, buffer: memoryview, decoder: ChunkedDecoder) -> int:
        loop = asyncio.get_running_loop()
        since = loop.time()
        while not self._decoded:
            if decoder.complete:
                self.trailers = decoder.trailers
                self._early = decoder.rest
                self._finish()
                return 0
            scratch = memoryview(bytearray(CHUNK_READ_BYTES))
            received = await self._read_raw(scratch)
            if not received:
                raise self._fail(Failure.BODY_SHORT, "the chunked body was cut off")
            try:
                pieces = decoder.feed(bytes(scratch[:received]))
            except BadChunking as error:
                raise self._fail(Failure.BAD_CHUNKS, str(error)) from error
            # Many tiny chunks cost less as one piece than each on its own.
            joined = pieces if len(pieces) <= FEW_PIECES else [b"".join(pieces)]
            self._decoded = [memoryview(piece) for piece in joined]
            late = loop.time() - since > self.timeout_s
            if late and not pieces and not decoder.complete:
                raise self._fail(Failure.BODY_TIMEOUT, "the body stalled between its chunks")
        return self._take_decoded(buffer)

    def _take_decoded(self, buffer: memoryview) -> int:
        filled = 0
        while self._decoded and filled < len(buffer):
            piece = self._decoded[0]
            size = min(len(piece), len(buffer) - filled)
            buffer[filled : filled + size] = piece[:size]
            filled += size
            if size == len(piece):
                self._decoded.pop(0)
            else:
                self._decoded[0] = piece[size:]
        return filled

    def _fail(self, failure: Failure, message: str) -> OriginError:
        self.close()
        return OriginError(failure, message)

    def when_ended(self, ended: Callable[[], None]) -> None:
        """Call `ended` once, when the body was read to its end or the response is closed."""
        if self.complete:
            ended()
        else:
            self._ended = ended

    def _finish(self) -> None:
        self.complete = True
        self._report_end()
        if self._release is not None and self.head.keep_alive and not self._early:
            self._release(self._stream)
        else:
            self._stream.close()

    def close(self) -> None:
        """Give the response up: an unread body means a closed connection. Idempotent."""
        if not self.complete:
            self.complete = True
            self._stream.close()
            self._report_end()
        if self.sending is not None and not self.sending.done():
            self.sending.cancel()

    def _report_end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()

    async def sent(self) -> None:
        """Wait for the request's body to be with the origin; its failure is not ours to report."""
        if self.sending is not None:
            with contextlib.suppress(OriginError, asyncio.CancelledError):
                await self.sending
