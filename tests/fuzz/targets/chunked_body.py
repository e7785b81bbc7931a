"""Chunked bodies: one reading, however they are cut, and no other than RFC 9112 section 7.1's.

The input is how it is cut, then the bytes.
"""

from __future__ import annotations

import re

from headrace.http.chunked import BadChunking, ChunkedDecoder
from tests.fuzz.inputs import Bytes, cut

WORDS = (
    b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b";a=b", b"\n", b"X: y\r\n", b"FFFFFFFF", b'"',
    b"\r\n\r\n",
)  # fmt: skip

_TEXT = rb"[\t !-~\x80-\xff]*"
_SIZE = re.compile(rb"([0-9A-Fa-f]+)(?:[ \t]*;" + _TEXT + rb")?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:" + _TEXT + rb"\r\n")


def check(data: bytes) -> None:
    """Decode the bytes at once and in pieces, and by the strict model."""
    source = Bytes(data)
    cuts = source.piece(15)
    body = source.rest()
    whole = _decoded([body])
    pieces = _decoded(cut(body, cuts))
    single = _decoded([body[at : at + 1] for at in range(len(body))])
    assert whole == pieces == single, (whole, pieces, single)
    if whole is not None and whole[2]:
        assert _strict(body) == whole[:2]


def _decoded(pieces: list[bytes]) -> tuple[bytes, bytes, bool] | None:
    """(body, what follows, complete), or None when it is refused."""
    decoder = ChunkedDecoder()
    found, rest = b"", b""
    try:
        for piece in pieces:
            if decoder.complete:
                rest += piece
            else:
                found += b"".join(decoder.feed(piece))
    except BadChunking:
        return None
    return found, decoder.rest + rest, decoder.complete


def _strict(data: bytes) -> tuple[bytes, bytes]:
    """(body, what follows) of a complete chunked body."""
    at, body = 0, b""
    while True:
        size = _SIZE.match(data, at)
        assert size is not None, f"no chunk size at {at}"
        at = size.end()
        length = int(size[1], 16)
        if not length:
            break
        body += data[at : at + length]
        at += length
        assert data[at : at + 2] == b"\r\n", f"the chunk does not end at {at}"
        at += 2
    while data[at : at + 2] != b"\r\n":
        trailer = _TRAILER.match(data, at)
        assert trailer is not None, f"no trailer at {at}"
        at = trailer.end()
    return body, data[at + 2 :]
