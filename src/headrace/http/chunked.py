"""Decodes and encodes the chunked transfer coding (RFC 9112 section 7.1).

Decoding is llhttp's: it is fed a fixed head and then the body, so that chunk sizes, extensions
and trailers are checked by the same strict code that reads heads.
"""

from __future__ import annotations

import httptools

from headrace.errors import HeadraceError
from headrace.http.message import Field

_SYNTHETIC_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"\r\n\r\n"

LAST_CHUNK = b"0\r\n\r\n"


class BadChunking(HeadraceError):
    """The chunked body is malformed, or spends more on framing than is reasonable."""


class ChunkedDecoder:
    """Decodes one chunked body, fed in arbitrary pieces.

    `complete` turns True at the last byte of the trailer section. `feed` returns the decoded
    pieces and leaves the bytes that follow the body in `rest`.
    """

    __slots__ = ("_chunks", "_overhead", "_parser", "_pieces", "_tail", "_too_many",
                 "complete", "rest", "trailers")  # fmt: skip

    MAX_OVERHEAD_BYTES = 64 * 1024
    MAX_TRAILERS = 100

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self.trailers: list[Field] = []
        self._pieces: list[bytes] = []
        self._overhead = 0
        self._chunks = 0
        self._tail = b""
        self._too_many = False
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(_SYNTHETIC_HEAD)
        self.trailers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a trailer field: llhttp calls this."""
        if len(self.trailers) < self.MAX_TRAILERS:
            self.trailers.append((name.lower(), value.strip(b" \t")))
        else:
            self._too_many = True

    def on_chunk_header(self) -> None:
        """Count a chunk: llhttp calls this."""
        self._chunks += 1

    def on_body(self, data: bytes) -> None:
        """Keep decoded bytes: llhttp calls this."""
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """Note the end of the body: llhttp calls this."""
        self.complete = True

    def feed(self, data: bytes) -> list[bytes]:
        """Decode `data`; must not be called once `complete`. Raises BadChunking."""
        start = 0
        # A chunked body always ends in CRLF CRLF: feeding up to each of them stops llhttp at the
        # body's last byte, before it would read what follows as another message.
        for end in self._possible_ends(data):
            self._feed(data[start:end])
            start = end
            if self.complete:
                break
        if not self.complete and start < len(data):
            self._feed(data[start:])
            start = len(data)
        self.rest = data[start:]
        self._tail = (self._tail + data)[-3:]
        pieces = self._pieces
        self._pieces = []
        self._count_overhead(start - sum(map(len, pieces)))
        return pieces

    def _possible_ends(self, data: bytes) -> list[int]:
        ends = []
        joined = self._tail + data
        shift = len(self._tail)
        at = joined.find(_END)
        while at >= 0:
            ends.append(at + 4 - shift)
            at = joined.find(_END, at + 2)
        return ends

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise BadChunking(f"malformed chunked body: {error}") from None

    def _count_overhead(self, framing_bytes: int) -> None:
        # Each chunk's own framing is at most 20 bytes when honest; the rest is extensions and
        # trailers, which no message needs in bulk.
        if self._too_many:
            raise BadChunking(f"more than {self.MAX_TRAILERS} trailer fields")
        self._overhead += framing_bytes
        if self._overhead - 20 * self._chunks > self.MAX_OVERHEAD_BYTES:
            raise BadChunking("chunk extensions or trailers are too long")


def chunk_head(size_bytes: int) -> bytes:
    """Return the line that precedes a chunk of `size_bytes` (> 0); the chunk ends with CRLF."""
    return b"%x\r\n" % size_bytes
