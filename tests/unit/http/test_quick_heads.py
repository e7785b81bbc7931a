"""What is read quickly is what the parser reads, whatever came before and whatever the bytes."""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.http.message import Headers
from headrace.http.parser import BadRequest, HeadLimits, RequestHead, RequestParser, find_head_end
from headrace.http.quick_heads import KNOWN_BYTES, QuickHeads
from tests.integration.adversarial.test_smuggling import PASSED, REFUSED

LIMITS = HeadLimits(line_bytes=200, head_bytes=600, header_count=6)
START = b"GET /a HTTP/1.1\r\nHost: h\r\n"
USUAL = START + b"User-Agent: p\r\n\r\n"
RAW = list(REFUSED.values()) + [data for data, *_rest in PASSED.values()]


def parsed(text: bytes, parser: RequestParser) -> RequestHead | None:
    """Return what the general way says of bytes that are one whole head; None: it refuses them."""
    with contextlib.suppress(BadRequest):
        if find_head_end(text, parser.limits) == len(text):
            return parser.parse(text)
    return None


def assert_alike(text: bytes, found: RequestHead | None, judge: RequestHead | None) -> None:
    if found is None:
        return
    assert judge is not None, f"accepted, but refused by the parser: {text!r}"
    bare = Headers()
    assert replace(found, headers=bare) == replace(judge, headers=bare)
    assert Counter(found.headers.fields) == Counter(judge.headers.fields)
    if b"x-forwarded-for" not in judge.headers:
        assert found.headers.fields == judge.headers.fields
    for name, _value in judge.headers:
        assert found.headers.get(name) == judge.headers.get(name)
        assert found.headers.all(name) == judge.headers.all(name)
    assert len(found.headers) == len(judge.headers)


METHODS = (b"GET", b"HEAD", b"PUT", b"POST", b"PRI", b"CONNECT", b"get", b"\r\nGET", b"G")
TARGETS = (
    b"/a", b"/b?c=d", b"*", b"http://h/x", b"h:1", b"/ HTTP/1.1", b"/a\x80", b"/\xe2\x82\xac",
    b"/a\tb", b"/a\x0bb", b"", b" /a", b"/a ", b"/" + b"l" * 190, b"/a\nb", b"/a\rb", b"/%00#",
    *(b"/" + b"l" * size for size in range(182, 190)),
)  # fmt: skip
VERSIONS = (
    b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b"", b" RTSP/1.0", b"  HTTP/1.1", b" HTTP/1.1 ",
    b" HTTP/1.1 HTTP/1.1",
)  # fmt: skip
LINES = (
    b"Host: h", b"host:h", b"Host:", b"Host: i ", b"User-Agent: p", b"X: a", b"x: b", b"X:  a",
    b"X:\ta", b"X: a ", b"X: a\t", b"X:", b"X: ", b"X : a", b" X: a", b"X: a\n", b"X: a\r",
    b"X: \0", b"X: \x80\xff", b": a", b"X", b"", b"Range: bytes=0-1", b"Range: bytes=0-1,5-9",
    b"If-Range: x", b"Cookie: c", b"Authorization: x", b"Cache-Control: no-cache",
    b"Headrace-Peer: x", b"Connection: close", b"Connection: keep-alive",
    b"Connection: Keep-Alive", b"Connection: x", b"Connection: upgrade", b"Upgrade: h2c",
    b"Proxy-Connection: close", b"Proxy-Connection: keep-alive", b"Content-Length: 0",
    b"Content-Length: 5", b"Expect: x", b"Transfer-Encoding: chunked", b"TE: trailers",
    b"Transfer-Encoding: identity", b"Trailer: x", b"GET /b HTTP/1.1", b"X: GET / HTTP/1.1",
    b"X-Forwarded-For: 192.0.2.1", b"x-forwarded-for: 2001:db8::1, 192.0.2.1",
    b"X-Forwarded-For: 192.0.2.1 ", b"X-Forwarded-For:192.0.2.1", b"X-Forwarded-For: unknown",
    b"X-Forwarded-For: 1\r\nx-forwarded-for: 2", b"X-Forwarded-For : 1", b"X-Forwarded-For: ",
    b"Y: X-Forwarded-For: 1", b"X-Forwarded-For: 1\r\nContent-Length: 5",
    b"X: " + b"l" * 300, b"X: " + b"l" * 560, b"\r\n".join(b"X%d: a" % n for n in range(6)),
)  # fmt: skip
ENDS = (b"\r\n\r\n", b"\r\n", b"\n\n", b"\r\n\r\nhi", b"\r\n\r\n" + USUAL)


def usually(words: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Draw the first of the words about half the time."""
    return st.just(words[0]) | st.sampled_from(words)


HEADS = st.builds(
    lambda method, target, version, lines, end: (
        b"\r\n".join([method + b" " + target + version, b"Host: h", *lines]) + end
    ),
    usually(METHODS), usually(TARGETS), usually(VERSIONS),
    st.lists(st.sampled_from(LINES), max_size=3), usually(ENDS),
)  # fmt: skip
ANYTHING = HEADS | HEADS | st.binary(max_size=60) | st.sampled_from(RAW)


@given(st.lists(ANYTHING, min_size=1, max_size=8), st.integers(0, 2))
@settings(max_examples=300)
@example([USUAL.replace(b"\r\n\r\n", b"\r\nProxy-Connection: close\r\n\r\n")], 0)
def test_the_quick_way_says_what_the_general_way_says(texts: list[bytes], times: int) -> None:
    quick = QuickHeads(LIMITS)
    for text in texts * (times + 1):
        assert_alike(text, quick.parse(text), parsed(text, RequestParser(LIMITS)))
    assert quick.parse(USUAL) == RequestParser(LIMITS).parse(USUAL), "nothing stays of before"


@pytest.mark.parametrize("known", [False, True])
def test_each_oddity_is_judged_as_the_parser_judges_it(known: bool) -> None:
    """Of the request line, of the fields and of the end: with fields that are known, and new."""
    quick = QuickHeads(LIMITS)
    starts = [
        method + b" " + target + version
        for method in METHODS for target in TARGETS for version in VERSIONS
    ]  # fmt: skip
    texts = [start + b"\r\nHost: h" + end for start in starts for end in ENDS]
    texts += [
        b"\r\n".join((b"GET /a HTTP/1.1", *lines)) + end
        for line in LINES
        for lines in (
            (line,), (b"Host: h", line), (b"Host: h", line, b"X: c"),
            (b"Host: h", line, b"X-Forwarded-For: 7"), (b"X-Forwarded-For: 8", line, b"Host: h"),
        )
        for end in ENDS
    ]  # fmt: skip
    for text in texts:
        if not known:
            quick = QuickHeads(LIMITS)
        else:  # one that has been accepted with these fields
            usual = b"GET /a HTTP/1.1\r\n" + text.partition(b"\r\n")[2]
            for _time in range(2):
                quick.parse(usual)
                quick.parse(usual.replace(b"X-Forwarded-For: 7", b"X-Forwarded-For: 9, 9"))
        assert_alike(text, quick.parse(text), parsed(text, RequestParser(LIMITS)))


@pytest.mark.parametrize(
    "line",
    [b"Content-Length: 99", b"Transfer-Encoding: chunked", b"Connection: close",
     b"Content-Length: 9\r\n" + b"\r\n".join(b"X%d: a" % n for n in range(6)) + b"\r\nHost: h"],
)  # fmt: skip
def test_a_head_that_is_refused_changes_nothing_for_the_next_one(line: bytes) -> None:
    """Without a Host, or with too many fields."""
    quick = QuickHeads(LIMITS)
    assert quick.parse(b"GET /a HTTP/1.1\r\n" + line + b"\r\n\r\n") is None
    assert quick.parse(USUAL) == RequestParser(LIMITS).parse(USUAL)


@given(st.data())
def test_a_changed_byte_is_judged_as_the_parser_judges_it(data: st.DataObject) -> None:
    """Of a head whose fields are known."""
    quick = QuickHeads(LIMITS)
    for _time in range(3):
        quick.parse(USUAL)
    assert USUAL.partition(b"\r\n")[2] in quick.fields
    at = data.draw(st.integers(0, len(USUAL) - 1))
    other = bytes((data.draw(st.integers(0, 255)),))
    text = USUAL[:at] + data.draw(st.sampled_from([other, b"", USUAL[at : at + 1] + other]))
    text += USUAL[at + 1 :]
    assert_alike(text, quick.parse(text), parsed(text, RequestParser(LIMITS)))
    assert_alike(USUAL, quick.parse(USUAL), RequestParser(LIMITS).parse(USUAL))


@pytest.mark.parametrize("text", RAW)
def test_raw_conversations_are_judged_alike(text: bytes) -> None:
    quick = QuickHeads(HeadLimits())
    for _time in range(4):
        for one in (text, USUAL, b"GET /x HTTP/1.1\r\n" + text.partition(b"\r\n")[2]):
            judge = parsed(one, RequestParser(HeadLimits()))
            assert_alike(one, quick.parse(one), judge)


def test_usual_heads_are_read_quickly_and_their_fields_remembered() -> None:
    quick = QuickHeads(LIMITS)
    first, second, third = (quick.parse(USUAL.replace(b"/a", b"/%d" % n)) for n in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert third.headers is second.headers is not first.headers
    assert [head.target for head in (first, second, third)] == [b"/0", b"/1", b"/2"]


def test_what_needs_care_is_left_to_the_parser() -> None:
    quick = QuickHeads(LIMITS)
    for lines in (b"Content-Length: 0", b"Connection: close", b"X: a\r\nX: b", b"Upgrade: x"):
        assert quick.parse(START + lines + b"\r\n\r\n") is None


def test_fields_of_a_proxy_are_known_whomever_it_speaks_for() -> None:
    quick = QuickHeads(LIMITS)
    for number in range(4):
        line = b"X-Forwarded-For: 192.0.2.%d" % number
        head = quick.parse(START + line + b"\r\nUser-Agent: p\r\n\r\n")
        assert head is not None
        assert head.headers.get(b"x-forwarded-for") == b"192.0.2.%d" % number
    assert list(quick.fields) == [USUAL.partition(b"\r\n")[2]]


def test_fields_that_identify_somebody_are_not_remembered() -> None:
    quick = QuickHeads(LIMITS)
    for line in (b"Cookie: c", b"Authorization: x"):
        for _time in range(3):
            head = quick.parse(START + line + b"\r\n\r\n")
            assert head is not None
            assert not head.plain
    assert not quick.fields


def test_a_stranger_makes_it_remember_no_more_than_its_bound() -> None:
    quick = QuickHeads(HeadLimits())
    for number in range(4_000):
        lines = b"".join(b"%x-%d: 1\r\n" % (field, number) for field in range(90))
        for _time in range(2):
            quick.parse(START + lines + b"\r\n")
    assert 0 < quick._known.held_bytes <= KNOWN_BYTES
    assert len(quick.fields) < 4_000
