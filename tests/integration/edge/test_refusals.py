"""What enables request smuggling, or exceeds a limit, is refused and the connection closed
(RFC 9112 sections 2.2, 3, 5, 6 and 11.2); what was smuggled never reaches the origin.
"""

from __future__ import annotations

import contextlib

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply
from tests.harness.wire import ConnectionEnded

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n"
HOST = b"Host: example.test\r\n"

FRAMING = {
    "repeated Content-Length": (b"Content-Length: 0\r\nContent-Length: 44\r\n", 400),
    "equal Content-Length twice": (b"Content-Length: 0\r\nContent-Length: 0\r\n", 400),
    "a list in Content-Length": (b"Content-Length: 0, 44\r\n", 400),
    "a sign in Content-Length": (b"Content-Length: +0\r\n", 400),
    "a negative Content-Length": (b"Content-Length: -1\r\n", 400),
    "hexadecimal Content-Length": (b"Content-Length: 0x0\r\n", 400),
    "an empty Content-Length": (b"Content-Length: \r\n", 400),
    "an endless Content-Length": (b"Content-Length: 99999999999999999999999\r\n", 400),
    "both framings": (b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n", 400),
    "both framings, other order": (b"Transfer-Encoding: chunked\r\nContent-Length: 44\r\n", 400),
    "a blank before the colon": (b"Transfer-Encoding : chunked\r\n", 400),
    "a control in the name": (b"Transfer\x0bEncoding: chunked\r\n", 400),
    "a folded field": (b"X-One: a\r\n b\r\n", 400),
    "a folded Transfer-Encoding": (b"Transfer-Encoding:\r\n chunked\r\n", 400),
    "a bare LF": (b"X-One: a\nX-Two: b\r\n", 400),
    "a bare CR": (b"X-One: a\rX-Two: b\r\n", 400),
    "NUL in a value": (b"X-One: a\0b\r\n", 400),
    "a field without name": (b": a\r\n", 400),
    "a line without colon": (b"nonsense\r\n", 400),
    "two hosts": (b"Host: other.test\r\n", 400),
    "an unknown coding": (b"Transfer-Encoding: gzip\r\n", 501),
    "chunked not last": (b"Transfer-Encoding: chunked, identity\r\n", 400),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    "chunked with a vertical tab": (b"Transfer-Encoding: \x0bchunked\r\n", 400),
    "quoted chunked": (b'Transfer-Encoding: "chunked"\r\n', 501),
}

LINES = {
    "no version": (b"POST /x\r\n" + HOST, 400),
    "a version of two": (b"POST /x HTTP/2.0\r\n" + HOST, 505),
    "a version of nine": (b"POST /x HTTP/9.9\r\n" + HOST, 505),
    "an unreadable version": (b"POST /x HTTP/1.1x\r\n" + HOST, 400),
    "lower case": (b"POST /x http/1.1\r\n" + HOST, 400),
    "two blanks": (b"POST  /x HTTP/1.1\r\n" + HOST, 400),
    "a blank in the target": (b"POST /x y HTTP/1.1\r\n" + HOST, 400),
    "a tab": (b"POST\t/x HTTP/1.1\r\n" + HOST, 400),
    "a control in the target": (b"POST /x\x01 HTTP/1.1\r\n" + HOST, 400),
    "an unknown method": (b"FROBNICATE /x HTTP/1.1\r\n" + HOST, 501),
    "CONNECT": (b"CONNECT example.test:443 HTTP/1.1\r\n" + HOST, 501),
    "no Host": (b"POST /x HTTP/1.1\r\nX: y\r\n", 400),
    "a Host with a path": (b"POST /x HTTP/1.1\r\nHost: example.test/x\r\n", 400),
    "a Host with a user": (b"POST /x HTTP/1.1\r\nHost: me@example.test\r\n", 400),
    "a Host list": (b"POST /x HTTP/1.1\r\nHost: a.test, b.test\r\n", 400),
    "another authority": (b"POST http://other.test/x HTTP/1.1\r\n" + HOST, 400),
    "no path": (b"POST x HTTP/1.1\r\n" + HOST, 400),
    "a fragment": (b"POST /x#y HTTP/1.1\r\n" + HOST, 400),
    "chunked in HTTP/1.0": (
        b"POST /x HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n",
        400,
    ),
}

CHUNKS = {
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "a size of letters": b"zz\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-1\r\nabc\r\n0\r\n\r\n",
    "a size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a size that overflows": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a bare LF after the size": b"3\nabc\r\n0\r\n\r\n",
    "no end of a chunk": b"3\r\nabcX0\r\n\r\n",
    "a blank before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "a bare LF in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "a folded trailer": b"0\r\nX-One: a\r\n b\r\n\r\n",
}


def assert_refused(edge: Edge, origin: Origin, data: bytes, status: int) -> None:
    """One answer with this status, then the end; what follows is not taken for a request."""
    before = origin.count("/smuggled")
    with edge.client() as client:
        client.send(data)
        found = client.response()
        assert (found.status, found.header("connection")) == (status, "close")
        assert client.ended()
    assert origin.count("/smuggled") == before


@pytest.mark.parametrize("case", FRAMING)
def test_doubtful_framing_is_refused(edge: Edge, origin: Origin, case: str) -> None:
    lines, status = FRAMING[case]
    data = b"POST /refused HTTP/1.1\r\n" + HOST + lines + b"\r\n" + SMUGGLED
    assert_refused(edge, origin, data, status)


@pytest.mark.parametrize("case", LINES)
def test_a_faulty_request_line_or_host_is_refused(edge: Edge, origin: Origin, case: str) -> None:
    lines, status = LINES[case]
    assert_refused(edge, origin, lines + b"\r\n" + SMUGGLED, status)


@pytest.mark.parametrize("case", CHUNKS)
def test_malformed_chunks_end_the_connection_without_an_answer_from_the_origin(
    edge: Edge, origin: Origin, path: str, case: str
) -> None:
    origin.serve(path, Reply(status=200))
    head = f"POST {path} HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    before = origin.count("/smuggled")
    with edge.client() as client:
        client.send(head.encode() + CHUNKS[case] + SMUGGLED)
        with contextlib.suppress(ConnectionEnded):
            assert client.response("POST").status == 400
        assert client.ended()
    assert origin.count("/smuggled") == before
    assert not any(request.complete for request in origin.asked(path))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /" + b"x" * 40000, 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 40000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n", 431),
    ],
    ids=["long line", "endless line", "long field", "many fields"],
)
def test_what_is_too_long_is_refused(edge: Edge, origin: Origin, data: bytes, status: int) -> None:
    assert_refused(edge, origin, data, status)


def test_a_refusal_is_counted(edge: Edge, origin: Origin) -> None:
    before = edge.metric("headrace_parse_errors_total")
    assert_refused(edge, origin, b"nonsense\r\n\r\n", 400)
    assert edge.metric("headrace_parse_errors_total") == before + 1
