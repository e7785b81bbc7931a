"""One connection, one reading: what a client sends is refused, or the origin hears exactly the
requests that the edge answers (RFC 9112 sections 2.2, 6.1, 6.3 and 11.2).

A request is written again before it is passed on: one framing, and nothing that concerned the
client's own connection. After a refusal nothing more of the connection is read as a request.
`tests/integration/edge/test_refusals.py` has the plain cases of malformed heads and chunks.
"""

from __future__ import annotations

import contextlib
import re

import pytest

from tests.harness.edge import Edge
from tests.harness.raw_origin import Heard, RawOrigin, reply
from tests.harness.wire import ConnectionEnded

HOST = b"Host: example.test\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "chunked, then identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n",
    "identity, then chunked": POST + b"Transfer-Encoding: identity, chunked\r\n\r\n",
    "gzip, then chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding that only begins so": POST + b"Transfer-Encoding: chunkedx\r\n\r\n",
    "a coding that only ends so": POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "a parameter of chunked": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n",
    "a comma before": POST + b"Transfer-Encoding: ,chunked\r\n\r\n",
    "a comma behind": POST + b"Transfer-Encoding: chunked,\r\n\r\n",
    "an empty coding": POST + b"Transfer-Encoding:\r\n\r\n",
    "a form feed": POST + b"Transfer-Encoding: chunked\x0c\r\n\r\n",
    "NUL behind": POST + b"Transfer-Encoding: chunked\0\r\n\r\n",
    "a no-break blank before": POST + b"Transfer-Encoding: \xa0chunked\r\n\r\n",
    "a tab before the colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n",
    "NUL in the name": POST + b"Transfer-Encoding\0: chunked\r\n\r\n",
    "a blank before the name": POST + b" Transfer-Encoding: chunked\r\n\r\n",
    "a blank before the first name": b"POST /x HTTP/1.1\r\n Host: example.test\r\n\r\n",
    "the coding on the next line": POST + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n",
    "two codings on two lines": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "both framings, length zero": POST
    + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, other letters": POST
    + b"cOnTeNt-LeNgTh: 4\r\ntRANSFER-eNCODING: cHUNKED\r\n\r\n0\r\n\r\n",
    "a blank in the length": POST + b"Content-Length: 1 0\r\n\r\n",
    "a length with a point": POST + b"Content-Length: 1.0\r\n\r\n",
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n",
    "a length of other digits": POST + "Content-Length: \u0665\r\n\r\n".encode(),
    "a length beyond 64 bits": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "LF line ends": b"POST /x HTTP/1.1\nHost: example.test\nContent-Length: 0\n\n",
    "an LF behind the line": b"POST /x HTTP/1.1\n" + HOST + b"\r\n",
    "an LF before the end": b"POST /x HTTP/1.1\r\nHost: example.test\n\r\n",
    "CR alone as a line end": b"POST /x HTTP/1.1\rHost: example.test\r\n\r\n",
    "two CR": b"POST /x HTTP/1.1\r\r\n" + HOST + b"\r\n",
    "a CR at a value's end": POST + b"X: a\r\r\n\r\n",
    "an empty line before": b"\r\n" + POST + b"\r\n",
    "HTTP/0.9": b"GET /x\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the preface in HTTP/1.1": b"PRI * HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT example.test:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT with a body": b"CONNECT a.test:1 HTTP/1.1\r\n" + HOST
    + b"Content-Length: 5\r\n\r\nhello",
    "an authority that is not the Host": b"GET http://other.test/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a user in the authority": b"GET http://example.test@other.test/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "another scheme": b"GET ftp://example.test/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a backslash": b"GET \\x HTTP/1.1\r\n" + HOST + b"\r\n",
    "Host twice, the same": b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "Host and an empty one": b"GET /x HTTP/1.1\r\n" + HOST + b"Host:\r\n\r\n",
    "a tab for a blank": b"GET\t/x\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "a vertical tab for a blank": b"GET /x\x0bHTTP/1.1\r\n" + HOST + b"\r\n",
    "two targets": b"GET /x /y HTTP/1.1\r\n" + HOST + b"\r\n",
}  # fmt: skip

BAD_CHUNKS = {
    "a size beyond 64 bits": b"10000000000000000\r\n",
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size in quotes": b'"5"\r\nhello\r\n0\r\n\r\n',
    "a size with an underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "a blank behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "NUL behind the size": b"5\0\r\nhello\r\n0\r\n\r\n",
    "CR alone behind the size": b"5\rhello\r\n0\r\n\r\n",
    "an LF in a quoted extension": b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    "a CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a chunk that is longer than it says": b"4\r\nhello\r\n0\r\n\r\n",
    "a chunk that is shorter than it says": b"6\r\nhello\r\n0\r\n\r\n",
    "LF behind a chunk": b"5\r\nhello\n0\r\n\r\n",
    "LF behind the last size": b"5\r\nhello\r\n0\n\r\n",
    "LF at the end": b"5\r\nhello\r\n0\r\n\n",
    "a trailer without colon": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "a blank before a trailer's colon": b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    "a length in the trailers": b"5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n",
    "NUL in a trailer": b"5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
}

PASSED = {
    "a length": (POST + b"Content-Length: 5\r\n\r\nhello", "POST", b"hello"),
    "a length with blanks around": (POST + b"Content-Length:\t 5 \r\n\r\nhello", "POST", b"hello"),
    "a length with zeros": (POST + b"Content-Length: 0005\r\n\r\nhello", "POST", b"hello"),
    "no length": (POST + b"\r\n", "POST", b""),
    "chunks": (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", "POST", b"hello"),
    "chunks, other letters": (
        POST + b"TRANSFER-ENCODING:  Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "POST", b"hello",
    ),
    "sizes with zeros": (CHUNKED + b"0005\r\nhello\r\n0000\r\n\r\n", "POST", b"hello"),
    "extensions": (CHUNKED + b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n', "POST", b"hello"),
    "a body that looks like the end": (
        CHUNKED + b"9\r\n\r\n0\r\n\r\nGE\r\n0\r\n\r\n", "POST", b"\r\n0\r\n\r\nGE",
    ),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\nHost: z\r\n\r\n", "POST", b"hello"),
    "GET with a body": (
        b"GET /x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", "GET", b"hello",
    ),
    "GET with a body that is a request": (
        b"GET /x HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
        "GET", SMUGGLED,
    ),
    "a length that Connection names": (
        POST + b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello", "POST", b"hello",
    ),
    "a coding that Connection names": (
        POST + b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n", "POST", b"hello",
    ),
    "an upgrade to HTTP/2": (
        POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
        b"Content-Length: 5\r\n\r\nhello", "POST", b"hello",
    ),
    "an upgrade to websocket": (
        b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Cache-Control: no-cache\r\nSec-WebSocket-Version: 13\r\n\r\n", "GET", b"",
    ),
    "the whole URL": (
        b"POST http://EXAMPLE.test:80/x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
        "POST", b"hello",
    ),
    "framing by other names": (
        POST + b"Content_Length: 50\r\nTransfer_Encoding: chunked\r\nX-Content-Length: 7\r\n"
        b"Content-Length: 5\r\n\r\nhello", "POST", b"hello",
    ),
}  # fmt: skip

# What concerns one connection only, and other spellings of it that some servers take for it.
NEVER_PASSED = ("connection", "upgrade", "http2-settings", "keep-alive", "te", "trailer",
                "content_length", "transfer_encoding", "proxy-connection")  # fmt: skip


def assert_clean(heard: Heard) -> None:
    """A head that has one reading only."""
    lines = heard.raw[:-4].split(b"\r\n")
    assert re.fullmatch(rb"[A-Z]+ /[!-~]* HTTP/1\.1", lines[0]), lines[0]
    for line in lines[1:]:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [!-~\x80-\xff \t]*", line), line
    names = [name for name, _ in heard.fields]
    framing = [name for name in names if name in ("content-length", "transfer-encoding")]
    assert len(framing) <= 1, heard.raw
    assert names.count("host") == 1, heard.raw
    for name in NEVER_PASSED:
        assert heard.header(name) in (None, "close", "keep-alive"), heard.raw


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_two_readings_is_refused(raw_edge: Edge, raw_origin: RawOrigin, case: str) -> None:
    with raw_edge.client() as client:
        client.send(REFUSED[case] + SMUGGLED)
        found = client.response()
        assert found.status in (400, 501, 505)
        assert found.header("connection") == "close"
        assert client.ended()
    raw_origin.hears_nothing(0.02)


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_after_a_bad_chunk_nothing_is_a_request(
    raw_edge: Edge, raw_origin: RawOrigin, case: str
) -> None:
    with raw_edge.client() as client:
        client.send(CHUNKED + BAD_CHUNKS[case] + SMUGGLED)
        heard = raw_origin.hears()
        assert heard.target == "/x"
        assert_clean(heard)
        assert heard.talk.left(), "the origin takes what came for a whole request"
        assert not heard.talk.unread.endswith(b"0\r\n\r\n")
        assert b"/smuggled" not in heard.talk.unread
        with contextlib.suppress(ConnectionEnded):
            assert client.response("POST").status == 400
        assert client.ended()
    raw_origin.hears_nothing(0.02)


@pytest.mark.parametrize("case", PASSED)
@pytest.mark.parametrize("size", [1 << 20, 7], ids=["at once", "in pieces"])
def test_what_is_passed_on_has_one_reading(
    raw_edge: Edge, raw_origin: RawOrigin, case: str, size: int
) -> None:
    data, method, body = PASSED[case]
    data += SMUGGLED.replace(b"/smuggled", b"/next?%d" % size + case.replace(" ", "-").encode())
    with raw_edge.client() as client:
        for at in range(0, len(data), size):
            client.send(data[at : at + size])
        heard = raw_origin.hears()
        assert (heard.method, heard.target) == (method, "/x")
        assert_clean(heard)
        assert heard.body() == body
        assert heard.talk.unread == b"", "more went to the origin than the request"
        heard.says(reply(b"first", cache_control="no-store"))
        assert client.response(method).body == b"first"

        # And the request behind it is the next one, not part of this one and not lost.
        heard = raw_origin.hears()
        assert (heard.method, heard.target.partition("?")[0]) == ("GET", "/next")
        assert_clean(heard)
        heard.says(reply(b"second", cache_control="no-store"))
        assert client.response().body == b"second"
    raw_origin.hears_nothing(0.02)


def test_what_follows_a_refusal_is_not_read(raw_edge: Edge, raw_origin: RawOrigin) -> None:
    with raw_edge.client() as client:
        good = b"POST /good HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"
        client.send(good + POST + b"Content-Length: x\r\n\r\n" + SMUGGLED)
        heard = raw_origin.hears()
        assert heard.target == "/good"
        heard.says(reply(cache_control="no-store"))
        assert client.response("POST").status == 200
        assert client.response().status == 400
        assert client.ended()
    raw_origin.hears_nothing(0.05)


def test_an_answer_before_the_body_leaves_no_body_behind(
    raw_edge: Edge, raw_origin: RawOrigin
) -> None:
    with raw_edge.client() as client:
        client.send(POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED))
        heard = raw_origin.hears()
        heard.says(reply(b"no", 403, cache_control="no-store"))
        assert client.response("POST").status == 403
        # The body comes now, and is a request for whoever forgot that a body is due.
        with contextlib.suppress(OSError):
            client.send(SMUGGLED)
        assert client.ended()
    raw_origin.hears_nothing(0.05)


def test_a_client_is_asked_to_continue_before_it_sends_its_body(
    raw_edge: Edge, raw_origin: RawOrigin
) -> None:
    with raw_edge.client() as client:
        client.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        heard = raw_origin.hears()
        assert_clean(heard)
        if heard.header("expect") is not None:
            heard.says(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.any_head().status == 100
        client.send(b"hello" + SMUGGLED)
        assert heard.body() == b"hello"
        assert heard.talk.unread == b""
        heard.says(reply(b"done", cache_control="no-store"))
        assert client.response("POST").body == b"done"
        raw_origin.hears().says(reply(b"next", cache_control="no-store"))
        assert client.response().body == b"next"


def test_an_expectation_that_no_one_knows_is_refused(raw_edge: Edge, raw_origin: RawOrigin) -> None:
    with raw_edge.client() as client:
        client.send(POST + b"Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello" + SMUGGLED)
        assert client.response("POST").status == 417
        assert client.ended()
    raw_origin.hears_nothing(0.05)


def test_an_upgrade_that_the_origin_accepts_unasked_is_no_tunnel(
    raw_edge: Edge, raw_origin: RawOrigin
) -> None:
    with raw_edge.client() as client:
        client.send(POST + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n")
        heard = raw_origin.hears()
        assert heard.header("upgrade") is None
        heard.says(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        assert client.response("POST").status == 502
        with contextlib.suppress(OSError):
            client.send(b"tunnelled")
        assert heard.talk.left()
        assert heard.talk.unread == b""


def test_the_head_of_one_client_does_not_spoil_anothers(
    raw_edge: Edge, raw_origin: RawOrigin
) -> None:
    with raw_edge.client() as attacker, raw_edge.client() as other:
        attacker.send(b"PRI * HTTP/1.1\r\n\r\n")
        assert attacker.response().status in (400, 505)
        other.send(POST + b"Content-Length: 5\r\n\r\nhello")
        heard = raw_origin.hears()
        assert heard.body() == b"hello"
        heard.says(reply(b"fine", cache_control="no-store"))
        assert other.response("POST").body == b"fine"
