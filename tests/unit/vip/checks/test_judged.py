"""What an answer, or its lack, says of a VIP."""

from __future__ import annotations

import errno
import hashlib
import ssl
from dataclasses import replace

import pytest

from headrace.vip.checks.judged import Answered, Check, judge_answer, judge_error
from headrace.vip.checks.request import BadAnswer, read_head, request_of
from headrace.vip.plan.health import Found

BODY = b"right"
CHECK = Check("h.example", "/p", 443, True, hashlib.sha256(BODY).hexdigest(), stored=True)
HIT = "edge-1; hit; ttl=30"


@pytest.mark.parametrize(
    ("answer", "found", "why"),
    [
        (Answered(200, BODY, HIT), Found.PASSED, ""),
        (Answered(200, BODY, "edge-1; fwd=uri-miss; stored"), Found.IMPAIRED, "from the store"),
        (Answered(200, BODY, "white; fwd=miss"), Found.IMPAIRED, "from the store"),
        (Answered(200, b"wrong", HIT), Found.FAILED, "other bytes"),
        (Answered(404, b"", HIT), Found.FAILED, "it answers 404 for h.example/p"),
        (Answered(302, b"", HIT), Found.FAILED, "302"),
        (Answered(500, b""), Found.DOUBTFUL, "500"),
        (Answered(503, b""), Found.DOUBTFUL, "503"),
        (Answered(502, b""), Found.IMPAIRED, "its origin fails"),
        (Answered(504, b""), Found.IMPAIRED, "its origin fails"),
    ],
)
def test_an_answer(answer: Answered, found: Found, why: str) -> None:
    judged = judge_answer(CHECK, answer)
    assert judged.found is found
    assert why in judged.why


def test_any_body_is_right_where_none_is_named() -> None:
    plain = replace(CHECK, sha256=None, stored=False)
    assert judge_answer(plain, Answered(200, b"x")).found is Found.PASSED


def _unverified(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("error", "found", "why"),
    [
        (ConnectionRefusedError(), Found.FAILED, "nothing listens on port 443"),
        (TimeoutError(), Found.DOUBTFUL, "no answer in time"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot"), Found.FAILED, "the address is not bound"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), Found.DOUBTFUL, "unreachable"),
        (ConnectionResetError("the connection was closed"), Found.DOUBTFUL, "closed"),
        (_unverified(62, "Hostname mismatch"), Found.FAILED, "the certificate is not for h.ex"),
        (_unverified(10), Found.FAILED, "the certificate for h.example has expired"),
        (_unverified(9), Found.FAILED, "h.example is not valid yet, or the clock here is slow"),
        (_unverified(20, "no issuer"), Found.FAILED, "not trusted by [checking] ca: no issuer"),
        (ssl.SSLError(1, "wrong version number"), Found.FAILED, "no TLS"),
        (BadAnswer("it is not HTTP"), Found.FAILED, "it is not HTTP"),
    ],
)
def test_no_answer(error: Exception, found: Found, why: str) -> None:
    judged = judge_error(CHECK, error)
    assert judged.found is found
    assert why in judged.why
    assert judged.unbound is (why == "the address is not bound")


def test_a_head_is_read() -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Status: a; hit\r\nCache-Status: b\r\n\r\n"
    )
    assert read_head(head) == (Answered(200, b"", "a; hit, b"), 5, False)
    closing = b"HTTP/1.1 200 OK\r\ncontent-length:5\r\nConnection: Close\r\n\r\n"
    assert read_head(closing) == (Answered(200, b""), 5, True)


@pytest.mark.parametrize(
    "head",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"Content-Length: 1\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_refused(head: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_head(head)


def test_the_request_names_the_host() -> None:
    assert request_of(CHECK).startswith(b"GET /p HTTP/1.1\r\nHost: h.example\r\n")
