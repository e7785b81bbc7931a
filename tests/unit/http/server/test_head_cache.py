"""A head that is recognised is the very head that parsing would give."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.http.message import Headers
from headrace.http.parser import BadRequest, HeadLimits, RequestHead, RequestParser
from headrace.http.server.head_cache import HEAD_BYTES, LIMIT_BYTES, HeadCache

PLAIN = b"GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: p\r\n\r\n"
RANGED = b"GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes=%s\r\nUser-Agent: p\r\n\r\n"


def remember(heads: HeadCache, parser: RequestParser, text: bytes) -> None:
    """Have a head come twice, as those do that are worth remembering."""
    for _time in range(2):
        heads.remember(text, parser.parse(text))


def known(*texts: bytes) -> tuple[HeadCache, RequestParser]:
    parser = RequestParser(HeadLimits())
    heads = HeadCache(parser)
    for text in texts:
        remember(heads, parser, text)
    return heads, parser


def assert_same(found: RequestHead, parsed: RequestHead) -> None:
    """The same but for the order of the fields."""
    assert sorted(found.headers.fields) == sorted(parsed.headers.fields)
    bare = Headers()
    assert replace(found, headers=bare, known=False) == replace(parsed, headers=bare)


def test_a_plain_head_is_found_by_its_bytes() -> None:
    heads, parser = known(PLAIN)
    assert heads.exact[PLAIN] == replace(parser.parse(PLAIN), known=True)


def test_a_head_that_came_once_is_not_remembered() -> None:
    parser = RequestParser(HeadLimits())
    heads = HeadCache(parser)
    for text in (PLAIN, RANGED % b"0-1"):
        heads = HeadCache(parser)
        heads.remember(text, parser.parse(text))
        assert not heads.exact


def test_another_range_of_the_same_is_recognised() -> None:
    heads, parser = known(RANGED % b"0-1")
    found = heads.ranged(RANGED % b"5-99")
    parsed = parser.parse(RANGED % b"5-99")
    assert found is not None
    assert found.lone_range == b"bytes=5-99"
    assert_same(found, parsed)


def test_a_plain_head_makes_its_ranges_known() -> None:
    heads, _ = known(PLAIN)
    assert heads.ranged(RANGED % b"5-") is not None


def test_the_rest_has_no_range_itself() -> None:
    heads, _ = known(RANGED % b"0-1")
    assert heads.exact[PLAIN].plain
    assert heads.exact[PLAIN].lone_range is None


def test_no_head_is_known_that_a_range_would_take_beyond_the_limits() -> None:
    for limits in (HeadLimits(header_count=2), HeadLimits(head_bytes=len(PLAIN) + 10)):
        parser = RequestParser(limits)
        heads = HeadCache(parser)
        remember(heads, parser, PLAIN)
        assert heads.ranged(RANGED % b"5-99") is None


LATE = b"GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: p\r\n\r\nRange: bytes=0-1\r\n"
NOT_RECOGNISED = {
    "another target": RANGED.replace(b"/a", b"/b") % b"0-1",
    "several ranges": RANGED % b"0-1,5-6",
    "a suffix": RANGED % b"-5",
    "no digits": RANGED % b"x-",
    "two range lines": (RANGED % b"0-1").replace(b"\r\nUser", b"\r\nRange: bytes=0-1\r\nUser"),
    "a line behind the head": LATE,
    "a second request behind it": RANGED % b"0-1" + PLAIN,
    "not whole": (RANGED % b"0-1")[:-2],
    "conditional": (RANGED % b"0-1").replace(b"\r\nUser", b'\r\nIf-Range: "a"\r\nUser'),
    "too long": (RANGED % b"0-1").replace(b": p", b": " + b"p" * HEAD_BYTES),
}


def test_nothing_else_is_recognised() -> None:
    heads, _ = known(PLAIN, RANGED % b"0-1")
    found = [name for name, text in NOT_RECOGNISED.items() if heads.ranged(text) is not None]
    assert found == []


def test_the_oldest_is_forgotten() -> None:
    heads, parser = known()
    number = 0
    while number < 10 or len(heads.exact) == number:
        text = PLAIN.replace(b"/a", b"/%d" % number)
        remember(heads, parser, text)
        number += 1
    assert number > LIMIT_BYTES // 4096
    assert PLAIN.replace(b"/a", b"/0") not in heads.exact


LINES = st.sampled_from(
    [
        b"Host: h", b"Host: i", b"Range: bytes=0-1", b"range: bytes=7-", b"Range: bytes=1-2,3-4",
        b"If-Range: x", b"Cookie: c", b"Accept: */*", b"X: Range: bytes=0-1", b"Connection: close",
        b"Content-Length: 3", b"", b"GET /b HTTP/1.1",
    ]
)  # fmt: skip


@given(st.lists(st.lists(LINES, max_size=6), min_size=1, max_size=6))
def test_what_is_recognised_is_what_parsing_gives(heads_lines: list[list[bytes]]) -> None:
    heads, parser = known()
    for lines in heads_lines:
        text = b"\r\n".join([b"GET /a HTTP/1.1", *lines]) + b"\r\n\r\n"
        found = heads.exact.get(text) or heads.ranged(text) or heads.read(text)
        parsed = None
        with contextlib.suppress(BadRequest):
            parsed = parser.parse(text)
        if found is not None:
            assert parsed is not None
            assert_same(found, parsed)
        elif parsed is not None and text.find(b"\r\n\r\n") == len(text) - 4:
            remember(heads, parser, text)


def test_a_head_that_is_read_twice_is_known_the_third_time() -> None:
    heads = HeadCache(RequestParser(HeadLimits()))
    found = [heads.exact.get(PLAIN) or heads.read(PLAIN) for _time in range(3)]
    assert [head is not None and head.known for head in found] == [False, True, True]
    assert found[2] is heads.exact[PLAIN]
