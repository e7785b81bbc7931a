"""Reads one small response, whatever comes: bounded in bytes, by llhttp's strictness. Pure."""

from __future__ import annotations

from collections.abc import Callable

from headrace.feedback.observation import Outcome
from headrace.http.chunked import BadChunking, ChunkedDecoder
from headrace.http.parser import BadResponse, ParsedResponseHead, parse_response_head

LARGEST_HEAD_BYTES = 16 * 1024
MOST_INTERIM = 4
_CHUNKED, _UNTIL_CLOSE = -1, -2  # as parse_response_head has them
_HEAD_END = b"\r\n\r\n"


class SmallResponse:
    """The response to one GET. `consume` takes the pieces of the body, if the status is 200.

    `status` is 0 until a final head has come; `keeps`: once it is whole, the connection is good for
    another request.
    """

    __slots__ = (
        "_body_left", "_chunked", "_consume", "_head", "_in_body", "_interim", "_largest_bytes",
        "_until_close", "keeps", "status",
    )  # fmt: skip

    def __init__(self, consume: Callable[[bytes], object], largest_bytes: int) -> None:
        self.status = 0
        self.keeps = False
        self._consume = consume
        self._largest_bytes = largest_bytes
        self._head = b""
        self._interim = 0
        self._in_body = self._until_close = False
        self._body_left = 0
        self._chunked: ChunkedDecoder | None = None

    def feed(self, data: bytes) -> Outcome | None:
        """Take what came; return how it ended, None while more is to come."""
        return self._feed_body(data) if self._in_body else self._feed_head(data)

    def end_of_input(self) -> Outcome:
        """Return how it ended, since nothing more comes."""
        return Outcome.OK if self._in_body and self._until_close else Outcome.CUT

    def _feed_head(self, data: bytes) -> Outcome | None:
        self._head += data
        while True:
            end = self._head.find(_HEAD_END) + len(_HEAD_END)
            if end < len(_HEAD_END):
                return Outcome.MALFORMED if len(self._head) > LARGEST_HEAD_BYTES else None
            if end > LARGEST_HEAD_BYTES:
                return Outcome.MALFORMED
            try:
                head = parse_response_head(self._head[:end], b"GET")
            except BadResponse:
                return Outcome.MALFORMED
            self._head = self._head[end:]
            if head.status >= 200:
                return self._begin_body(head)
            self._interim += 1
            if self._interim > MOST_INTERIM or head.status == 101:
                return Outcome.MALFORMED

    def _begin_body(self, head: ParsedResponseHead) -> Outcome | None:
        self.status = head.status
        if head.status != 200:
            return Outcome.STATUS
        if head.body_bytes > self._largest_bytes:
            return Outcome.MALFORMED
        self._in_body = True
        self._until_close = head.body_bytes == _UNTIL_CLOSE
        self.keeps = head.keep_alive and not self._until_close
        if head.body_bytes == _CHUNKED:
            self._chunked = ChunkedDecoder()
        self._body_left = self._largest_bytes if head.body_bytes < 0 else head.body_bytes
        rest, self._head = self._head, b""
        return self._feed_body(rest)

    def _feed_body(self, data: bytes) -> Outcome | None:
        pieces, chunked = [data], self._chunked
        if chunked is not None:
            try:
                pieces = chunked.feed(data)
            except BadChunking:
                return Outcome.MALFORMED
        for piece in pieces:
            self._body_left -= len(piece)
            if self._body_left < 0:
                return Outcome.MALFORMED
            self._consume(piece)
        if chunked is not None:
            if not chunked.complete:
                return None
            self.keeps = self.keeps and not chunked.rest
            return Outcome.OK
        return Outcome.OK if not self._body_left and not self._until_close else None
