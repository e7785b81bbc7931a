from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.parser import (
    BadRequest,
    BadResponse,
    HeadLimits,
    RequestParser,
    find_head_end,
    parse_response_head,
)

LIMITS = HeadLimits()
HEAD = (
    b"GET /vod/a.m4s?x=1 HTTP/1.1\r\nHost: video.example\r\nUser-Agent: player/1.0\r\n"
    b"Accept: */*\r\nRange: bytes=0-99\r\n\r\n"
)
REFUSALS = {400, 414, 431, 501, 505}


def refusal(head: bytes, limits: HeadLimits = LIMITS) -> int:
    with pytest.raises(BadRequest) as raised:
        RequestParser(limits).parse(head)
    return raised.value.status


def request(*lines: bytes, start: bytes = b"POST /x HTTP/1.1", host: bool = True) -> bytes:
    hosts = (b"Host: a",) if host else ()
    return b"\r\n".join((start, *hosts, *lines)) + b"\r\n\r\n"


def test_a_usual_head_is_read() -> None:
    head = RequestParser(LIMITS).parse(HEAD)
    assert (head.method, head.target, head.host, head.version, head.keep_alive) == (
        b"GET",
        b"/vod/a.m4s?x=1",
        b"video.example",
        (1, 1),
        True,
    )


def test_only_a_head_without_special_fields_is_plain() -> None:
    parser = RequestParser(LIMITS)
    heads = [parser.parse(request(start=b"GET / HTTP/1.1")), parser.parse(HEAD)]
    assert [head.plain for head in heads] == [True, False]


@pytest.mark.parametrize(
    ("start", "connection", "stays"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: keep-alive", True),
        (b"GET / HTTP/1.1", b"Connection: close", False),
        (b"GET / HTTP/1.1", b"Connection: x, Close", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: keep-alive", True),
    ],
)
def test_persistence_follows_version_and_fields(
    start: bytes, connection: bytes, stays: bool
) -> None:
    parser = RequestParser(LIMITS)
    lines = (connection,) if connection else ()
    found = [parser.parse(request(*lines, start=start)).keep_alive for _ in range(2)]
    assert found == [stays, stays]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request(b"Content-Length: 1", b"Content-Length: 1"), 400),
        (request(b"Content-Length: 1", b"Content-Length: 2"), 400),
        (request(b"Content-Length: 1, 1"), 400),
        (request(b"Content-Length: +1"), 400),
        (request(b"Content-Length: -1"), 400),
        (request(b"Content-Length: 0x1"), 400),
        (request(b"Content-Length: 99999999999999999999"), 400),
        (request(b"Content-Length: 1", b"Transfer-Encoding: chunked"), 400),
        (request(b"Transfer-Encoding: chunked", b"Content-Length: 1"), 400),
        (request(b"Transfer-Encoding: gzip"), 501),
        (request(b"Transfer-Encoding: xchunked"), 501),
        (request(b"Transfer-Encoding : chunked"), 400),
        (request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0"), 400),
        (request(b"X: a\r\n b"), 400),
        (request(b"X: a\nY: b"), 400),
        (request(b"X: a\rY: b"), 400),
        (request(b"X: a\0b"), 400),
        (request(b"X Y: a"), 400),
        (request(b": a"), 400),
        (request(b"Host: b"), 400),
        (request(host=False), 400),
        (request(start=b"POST  /x HTTP/1.1"), 400),
        (request(start=b"POST /x y HTTP/1.1"), 400),
        (request(start=b"POST /x"), 400),
        (request(start=b"POST /x HTTP/2.0"), 505),
        (request(start=b"FROBNICATE /x HTTP/1.1"), 501),
        (request(start=b"CONNECT a:1 HTTP/1.1"), 501),
        (b"\r\n" + request(), 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_is_doubtful_is_refused(head: bytes, status: int) -> None:
    assert refusal(head) == status


def test_empty_lines_are_refused_whatever_was_before() -> None:
    parser = RequestParser(LIMITS)
    for before in (HEAD, HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")):
        parser.parse(before)
        with pytest.raises(BadRequest) as caught:
            parser.parse(b"\r\n\r\n")
        assert caught.value.status == 400


def test_a_refusal_does_not_spoil_the_next_head() -> None:
    parser = RequestParser(LIMITS)
    with pytest.raises(BadRequest):
        parser.parse(b"nonsense\r\n\r\n")
    assert parser.parse(HEAD).target == b"/vod/a.m4s?x=1"


@pytest.mark.parametrize("method", ["PRI", "GET", "HEAD", "CONNECT", "SOURCE", "QUERY", "M-SEARCH"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "RTSP/1.0", "ICE/1.0"])
@pytest.mark.parametrize("target", ["*", "/", "h:1", "http://h/"])
def test_no_head_of_one_client_spoils_the_next_ones(method: str, version: str, target: str) -> None:
    parser = RequestParser(LIMITS)
    for lines in (
        "", "Host: h\r\n", "Host: h\r\nUpgrade: x\r\n", "Content-Length: 5\r\n",
        "Host: h\r\nProxy-Connection: close\r\n", "Host: h\r\nConnection: keep-alive, close\r\n",
        "Host: h\r\nProxy-Connection: upgrade\r\nUpgrade: x\r\n",
    ):  # fmt: skip
        with contextlib.suppress(BadRequest):
            parser.parse(f"{method} {target} {version}\r\n{lines}\r\n".encode())
        assert parser.parse(HEAD) == RequestParser(LIMITS).parse(HEAD)


def test_too_many_fields_are_refused() -> None:
    lines = [b"X-%d: 1" % number for number in range(101)]
    assert refusal(request(*lines)) == 431


def test_a_long_request_line_is_refused() -> None:
    assert refusal(request(start=b"GET /" + b"a" * 9000 + b" HTTP/1.1")) == 414


def test_an_upgrade_is_read_as_if_not_asked_for() -> None:
    lines = (b"Connection: upgrade", b"Upgrade: websocket")
    head = RequestParser(LIMITS).parse(request(*lines, start=b"GET / HTTP/1.1"))
    assert (head.method, head.body_bytes) == (b"GET", 0)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_parse_or_are_refused(data: bytes) -> None:
    try:
        RequestParser(LIMITS).parse(data + b"\r\n\r\n")
    except BadRequest as error:
        assert error.status in REFUSALS


@given(st.integers(0, len(HEAD) - 1), st.binary(min_size=0, max_size=3))
def test_a_mutated_head_parses_or_is_refused(at: int, change: bytes) -> None:
    data = HEAD[:at] + change + HEAD[at + 1 :]
    try:
        RequestParser(LIMITS).parse(data)
    except BadRequest as error:
        assert error.status in REFUSALS


@given(st.integers(0, len(HEAD)))
def test_a_head_is_found_only_when_it_is_whole(cut: int) -> None:
    expected = len(HEAD) if cut == len(HEAD) else -1
    assert find_head_end(HEAD[:cut], LIMITS) == expected


@given(st.lists(st.integers(0, len(HEAD)), max_size=4))
def test_a_head_in_pieces_is_found_as_one_in_one_piece(cuts: list[int]) -> None:
    searched = 0
    for cut in [*sorted(cuts), len(HEAD)]:
        end = find_head_end(HEAD[:cut], LIMITS, searched)
        assert end == (len(HEAD) if cut == len(HEAD) else -1)
        if end >= 0:
            break
        searched = cut


@pytest.mark.parametrize("cut", range(8))
def test_a_bare_line_feed_is_refused_wherever_the_pieces_part(cut: int) -> None:
    with pytest.raises(BadRequest):
        find_head_end(b"GET / HTTP/1.1\r\nX: a\nY"[: 17 + cut] + b"\nZ", LIMITS, 16)
    assert find_head_end(b"GET / HTTP/1.1\r\nX: a", LIMITS, 14) == -1
    assert find_head_end(b"GET / HTTP/1.1\r\nX: a", LIMITS, 15) == -1


def test_what_follows_a_head_is_not_part_of_it() -> None:
    assert find_head_end(HEAD + b"GET / HTTP/1.1\r\n\r\n", LIMITS) == len(HEAD)


@pytest.mark.parametrize(
    ("buffer", "status"),
    [
        (b"GET /" + b"a" * 9000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40000, 431),
        (b"GET / HTTP/1.1\r\nX: a\nY", 400),
    ],
)
def test_a_head_that_can_never_be_right_is_refused_early(buffer: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as raised:
        find_head_end(buffer, LIMITS)
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("lines", "method", "body_bytes"),
    [
        (b"Content-Length: 5\r\n", b"GET", 5),
        (b"Transfer-Encoding: chunked\r\n", b"GET", -1),
        (b"", b"GET", -2),
        (b"Content-Length: 5\r\n", b"HEAD", 0),
    ],
)
def test_a_response_is_framed_by_its_fields(lines: bytes, method: bytes, body_bytes: int) -> None:
    head = parse_response_head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n", method)
    assert head.body_bytes == body_bytes


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 1\r\nContent-Length: 1\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Length: x\r\n",
        b"X: a\r\n b\r\n",
        b"X\r\n",
    ],
)
def test_a_doubtful_response_is_refused(lines: bytes) -> None:
    with pytest.raises(BadResponse):
        parse_response_head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n", b"GET")


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 099 X", b"HTTP/1.1 000 X", b"HTTP/1.1 600 X", b"HTTP/1.1 999 X",
        b"HTTP/1.1 1000 X", b"HTTP/1.1 20 X", b"HTTP/1.1 200OK", b"HTTP/1.1  200 OK",
        b"RTSP/1.0 200 OK", b"ICE/1.1 200 OK", b"http/1.1 200 OK", b"HTTP/1.10 200 OK",
        b"HTTP/0.9 200 OK", b"HTTP/2.0 200 OK", b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1 200 O\x01K", b"\r\nHTTP/1.1 200 OK", b"HTTP/1.1 200 OK\n",
    ],
)  # fmt: skip
def test_a_status_line_that_is_not_one_is_refused(line: bytes) -> None:
    with pytest.raises(BadResponse):
        parse_response_head(line + b"\r\nContent-Length: 1\r\n\r\n", b"GET")


@pytest.mark.parametrize("line", [b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.0 599 \xe4 b\tc"])
def test_a_reason_may_be_missing_or_odd(line: bytes) -> None:
    assert parse_response_head(line + b"\r\n\r\n", b"GET").body_bytes == -2


CL0, CL5 = b"Content-Length: 0\r\n", b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("start", "lines", "method", "keep_alive"),
    [
        (b"HTTP/1.1 200", CL5, b"GET", True),
        (b"HTTP/1.1 200", CHUNKED, b"GET", True),
        (b"HTTP/1.1 200", b"", b"GET", False),
        (b"HTTP/1.1 200", CL5 + b"Connection: x, Close\r\n", b"GET", False),
        (b"HTTP/1.0 200", CL5, b"GET", False),
        (b"HTTP/1.0 200", CL5 + b"Connection: Keep-Alive\r\n", b"GET", True),
        (b"HTTP/1.1 200", CL5, b"HEAD", False),
        (b"HTTP/1.1 200", CHUNKED, b"HEAD", False),
        (b"HTTP/1.1 200", CL0, b"HEAD", True),
        (b"HTTP/1.1 404", b"", b"HEAD", True),
        (b"HTTP/1.1 204", b"", b"GET", True),
        (b"HTTP/1.1 204", CL0, b"GET", True),
        (b"HTTP/1.1 204", CL5, b"GET", False),
        (b"HTTP/1.1 204", CHUNKED, b"GET", False),
        (b"HTTP/1.1 304", b"", b"GET", True),
        (b"HTTP/1.1 304", CL5, b"GET", False),
        (b"HTTP/1.1 304", CHUNKED, b"GET", False),
        (b"HTTP/1.1 205", CL0, b"GET", True),
        (b"HTTP/1.1 205", CHUNKED, b"GET", False),
        (b"HTTP/1.1 205", b"", b"GET", False),
    ],
)
def test_a_connection_stays_only_where_the_end_of_the_body_is_certain(
    start: bytes, lines: bytes, method: bytes, keep_alive: bool
) -> None:
    head = parse_response_head(start + b" X\r\n" + lines + b"\r\n", method)
    assert head.keep_alive is keep_alive


@pytest.mark.parametrize(
    ("start", "lines", "method"),
    [
        (b"HTTP/1.0 200", CHUNKED, b"GET"),
        (b"HTTP/1.1 205", CL5, b"GET"),
        (b"HTTP/1.1 200", CHUNKED * 2, b"GET"),
        (b"HTTP/1.1 200", b"Transfer-Encoding: chunked, gzip\r\n", b"GET"),
        (b"HTTP/1.1 200", b"Transfer-Encoding: gzip\r\n", b"HEAD"),
        (b"HTTP/1.1 304", CL5 + CHUNKED, b"GET"),
        (b"HTTP/1.1 204", CL5 + CL5, b"GET"),
        (b"HTTP/1.1 200", b"Content-Length: 5, 5\r\n", b"GET"),
        (b"HTTP/1.1 200", b"Content-Length: +5\r\n", b"GET"),
        (b"HTTP/1.1 200", b"Content-Length: 99999999999999999999\r\n", b"GET"),
        (b"HTTP/1.1 200", CL5 + b"X: a\rb\r\n", b"GET"),
        (b"HTTP/1.1 200", CL5 + b"X: a\0b\r\n", b"GET"),
        (b"HTTP/1.1 200", CL5 + b"X : a\r\n", b"GET"),
        (b"HTTP/1.1 200", CL5 + b"X: a\r\n" * 501, b"GET"),
    ],
)
def test_a_response_of_doubtful_framing_is_refused_whatever_the_method(
    start: bytes, lines: bytes, method: bytes
) -> None:
    with pytest.raises(BadResponse):
        parse_response_head(start + b" X\r\n" + lines + b"\r\n", method)


@given(st.binary(max_size=200))
def test_an_arbitrary_response_parses_or_is_refused(data: bytes) -> None:
    try:
        head = parse_response_head(b"HTTP/1.1 " + data + b"\r\n\r\n", b"GET")
        assert 100 <= head.status <= 599
    except BadResponse as error:
        assert str(error)
