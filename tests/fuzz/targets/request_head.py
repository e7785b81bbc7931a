"""Request heads: what is accepted is what a strict reading of RFC 9112 accepts, with one framing.

The input is what a connection receives. A parser that has read other heads before must find the
same as a new one, and a head recognised from memory must be what parsing would give.
"""

from __future__ import annotations

import re

from headrace.http.parser import (
    BadRequest,
    HeadLimits,
    RequestHead,
    RequestParser,
    find_head_end,
)
from headrace.http.server.head_cache import HeadCache

WORDS = (
    b"GET ", b"HEAD ", b"POST ", b"PRI ", b"CONNECT ", b"OPTIONS ", b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n", b"\r\n\r\n", b"Host: h\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: ", b"Proxy-", b"close", b"keep-alive",
    b"Upgrade: h2c\r\n", b"Range: bytes=0-1\r\n", b"Expect: ", b"\r\nRange: bytes=5-9\r\n",
    b"http://h/", b", ", b"\t", b"\x0b", b"\r", b"\n",
)  # fmt: skip

LIMITS = HeadLimits(line_bytes=512, head_bytes=2048, header_count=20)
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff \t])*)")
SPECIAL_LINES = (
    b"Range: bytes=0-1", b"range: bytes=5-", b"Range: bytes=7-8", b"Connection: close",
    b"X: y", b"Host: h", b"Content-Length: 0", b"Proxy-Connection: close", b"Cookie: c",
)  # fmt: skip

_used = RequestParser(LIMITS)


def check(data: bytes) -> None:
    """Parse every head that the bytes hold."""
    parser = RequestParser(LIMITS)
    known = HeadCache(parser)
    for _ in range(8):
        try:
            end = find_head_end(data, LIMITS)
        except BadRequest as error:
            assert 400 <= error.status <= 505
            return
        if end < 0:
            assert len(data) < LIMITS.head_bytes
            return
        text, data = data[:end], data[end:]
        found = _parsed(parser, text)
        assert found == _parsed(RequestParser(LIMITS), text), "a fresh parser reads it otherwise"
        assert found == _parsed(_used, text), "a parser that is used reads it otherwise"
        if isinstance(found, int):
            return
        _judge(text, found)
        for _time in range(2):
            known.remember(text, found)
        _compare_known(known, text, data)


def _parsed(parser: RequestParser, text: bytes) -> RequestHead | int:
    try:
        return parser.parse(text)
    except BadRequest as error:
        return error.status


def _judge(text: bytes, head: RequestHead) -> None:
    """Compare with a strict reading."""
    first, *lines = text[:-4].split(b"\r\n")
    line = _LINE.fullmatch(first)
    assert line is not None, f"no request line: {first!r}"
    assert (head.method, head.target, head.version) == (line[1], line[2], (1, int(line[3])))
    fields = []
    for raw in lines:
        field = _FIELD.fullmatch(raw)
        assert field is not None, f"no field line: {raw!r}"
        fields.append((field[1].lower(), field[2].strip(b" \t")))
    assert head.headers.fields == tuple(fields)
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    hosts = values.get(b"host", [])
    assert len(hosts) == 1 or (not hosts and head.version == (1, 0))
    assert head.host == (hosts[0] if hosts else None)
    lengths, codings = values.get(b"content-length", []), values.get(b"transfer-encoding", [])
    assert len(lengths) + len(codings) <= 1, "two framings"
    if codings:
        assert codings[0].lower() == b"chunked"
        assert (head.body_bytes, head.version) == (-1, (1, 1))
    elif lengths:
        assert re.fullmatch(rb"[0-9]+", lengths[0])
        assert head.body_bytes == int(lengths[0])
    else:
        assert head.body_bytes == 0
    options = {
        option.strip(b" \t").lower()
        for value in values.get(b"connection", [])
        for option in value.split(b",")
    }
    stays = b"close" not in options and (head.version == (1, 1) or b"keep-alive" in options)
    assert head.keep_alive == stays
    if head.plain or head.lone_range is not None:
        assert not lengths
        assert not codings
    if head.lone_range is not None:
        assert values[b"range"] == [head.lone_range]


def _compare_known(known: HeadCache, text: bytes, following: bytes) -> None:
    """What is found in memory is what parsing gives, whatever is added to the bytes."""
    parser = RequestParser(LIMITS)
    for variant in _variants(text, following):
        found = (known.exact.get(variant), known.ranged(variant), known.read(variant))
        for head in filter(None, found):
            end = find_head_end(variant, LIMITS)
            assert end == len(variant), "a head was recognised in what is more than one"
            parsed = parser.parse(variant)
            assert sorted(head.headers.fields) == sorted(parsed.headers.fields)
            for name in ("method", "target", "version", "host", "body_bytes", "keep_alive", "plain",
                         "lone_range"):  # fmt: skip
                assert getattr(head, name) == getattr(parsed, name), name


def _variants(text: bytes, following: bytes) -> list[bytes]:
    variants = [text, text + following]
    places = [match.start() for match in re.finditer(rb"\r\n", text)][:12]
    for added in SPECIAL_LINES:
        variants += [text[:at] + b"\r\n" + added + text[at:] for at in places]
    return variants
