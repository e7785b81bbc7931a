"""Responses of origins: what the client decodes is what was sent, or it is an error.

The input is a plan for a response (sent whole, cut anywhere, or broken off), or raw bytes.
"""

from __future__ import annotations

import asyncio
import re
from typing import cast

from headrace.http.parser import BadResponse, ParsedResponseHead, parse_response_head
from headrace.upstream.errors import OriginError
from headrace.upstream.network import Stream
from headrace.upstream.response import OriginResponse
from tests.fuzz.inputs import Bytes, cut

WORDS = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 ", b"HTTP/1.1 304\r\n", b"HTTP/1.1 206 X\r\n",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n",
    b"HTTP/1.1 101 ", b"RTSP/1.0 ",
)  # fmt: skip

_loop = asyncio.new_event_loop()
_LINE = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [\t !-~\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff \t])*)")


class _FakeWire:
    """Gives pieces, then the end of the stream; notes whether it was kept or closed."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.closed = False

    async def recv_into(self, buffer: memoryview, _timeout_s: float) -> int:
        if not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        if size < len(piece):
            self.pieces.insert(0, piece[size:])
        return size

    def close(self) -> None:
        self.closed = True


def check(data: bytes) -> None:
    """Receive a planned response, or whatever the bytes are."""
    source = Bytes(data)
    if source.flag():
        _check_plan(source)
    else:
        method = source.choice((b"GET", b"HEAD"))
        cuts = source.piece(15)
        _receive_anything(source.rest(), method, cuts)


def _check_plan(source: Bytes) -> None:
    framing = source.number(2)
    cuts = source.piece(15)
    missing = source.number(12) if source.flag() else 0
    extra = source.piece(8) if source.flag() else b""
    chunks = [piece for _ in range(source.number(4)) if (piece := source.piece(60))]
    body = b"".join(chunks)
    if framing == 0:
        head, wire_body = b"Content-Length: %d\r\n" % len(body), body
    elif framing == 1:
        head = b"Transfer-Encoding: chunked\r\n"
        wire_body = b"".join(b"%X\r\n%s\r\n" % (len(piece), piece) for piece in chunks)
        wire_body += b"0\r\nX-Sum: 1\r\n\r\n"
    else:
        head, wire_body = b"", body
    sent = wire_body[: len(wire_body) - missing] if missing else wire_body
    whole = len(sent) == len(wire_body)
    if whole and framing != 2:
        sent += extra
    found = parse_response_head(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", b"GET")
    received, kept = _received(found, cut(sent, cuts))
    if framing == 2:
        assert received == sent, "a body to the close is what came"
        assert not kept
        return
    if not whole:
        assert received is None, "a body that was cut off passes for a whole one"
        return
    assert received == body
    assert not (kept and extra and _left), "a connection with more to read is kept"


_left = False


def _received(head: ParsedResponseHead, pieces: list[bytes]) -> tuple[bytes | None, bool]:
    """The decoded body (None: an error), and whether the connection was given back."""
    global _left
    wire = _FakeWire(pieces)
    kept: list[object] = []
    response = OriginResponse(head, cast(Stream, wire), b"", 5.0, kept.append)
    try:
        body = _loop.run_until_complete(_read(response))
    except OriginError:
        assert not kept
        return None, False
    _left = bool(response._early)
    assert bool(kept) != wire.closed, "neither given back nor closed, or both"
    return body, bool(kept)


async def _read(response: OriginResponse) -> bytes:
    body, buffer = b"", memoryview(bytearray(37))
    while size := await response.read_into(buffer):
        body += bytes(buffer[:size])
    return body


def _receive_anything(data: bytes, method: bytes, cuts: bytes) -> None:
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return
    try:
        head = parse_response_head(data[:end], method)
    except BadResponse:
        return
    _judge(data[:end], head, method)
    if head.status >= 200:
        at_once, _ = _received(head, [data[end:]] if data[end:] else [])
        in_pieces, _ = _received(head, cut(data[end:], cuts))
        assert at_once == in_pieces


def _judge(text: bytes, head: ParsedResponseHead, method: bytes) -> None:
    """Compare with a strict reading."""
    first, *lines = text[:-4].split(b"\r\n")
    line = _LINE.fullmatch(first)
    assert line is not None, f"no status line: {first!r}"
    assert (head.version, head.status) == ((1, int(line[1])), int(line[2]))
    assert 100 <= head.status <= 599, head.status
    fields = []
    for raw in lines:
        field = _FIELD.fullmatch(raw)
        assert field is not None, f"no field line: {raw!r}"
        fields.append((field[1].lower(), field[2].strip(b" \t")))
    assert head.headers.fields == tuple(fields)
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    assert len(lengths) + len(codings) <= 1
    if method == b"HEAD" or head.status in (204, 205, 304) or head.status < 200:
        assert head.body_bytes == 0
    elif codings:
        assert codings[0].lower() == b"chunked"
        assert head.body_bytes == -1
    elif lengths:
        assert re.fullmatch(rb"[0-9]+", lengths[0])
        assert head.body_bytes == int(lengths[0])
    else:
        assert head.body_bytes == -2
        assert not head.keep_alive
