"""A stranger at the admin API gets a refusal: no error of the server's, no traceback in its log
(the edge's end looks for one), and no memory or descriptor for good.
"""

from __future__ import annotations

import gzip
import socket

import pytest

from tests.harness.edge import TOKEN, Edge

GZIP = b"Content-Encoding: gzip\r\n"
BR = b"Content-Encoding: br\r\n"
GET = b"GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
POST = b"POST /purge HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
BEARER = b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
JSON = b"Content-Type: application/json\r\n"
BOMB = gzip.compress(b" " * (8 << 20))

STRANGERS = {
    "a token of other bytes": (GET + b"Authorization: Bearer \xff\xfe\r\n\r\n", 401),
    "a token of other letters": (GET + "Authorization: Bearer \u00e9\u20ac\r\n\r\n".encode(), 401),
    "no token": (GET + b"Authorization: Bearer\r\n\r\n", 401),
    "no scheme": (GET + b"Authorization: " + TOKEN.encode() + b"\r\n\r\n", 401),
    "another scheme": (GET + b"Authorization: Basic " + TOKEN.encode() + b"\r\n\r\n", 401),
    "a broken coding": (POST + JSON + GZIP + b"Content-Length: 2\r\n\r\n{}", 415),
    "an unknown coding": (POST + JSON + BR + b"Content-Length: 2\r\n\r\n{}", 415),
    "a bomb": (
        POST + BEARER + JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
        + BOMB, 415,
    ),
    "bad chunks": (POST + BEARER + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "two framings": (
        POST + BEARER + JSON + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
    ),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "a target of bytes": (b"GET /live?\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "a bad port": (b"GET http://a:999999/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "another site's page": (GET + BEARER + b"Origin: https://evil.test\r\n\r\n", 403),
    "a name that was rebound": (
        b"GET /stats HTTP/1.1\r\nHost: evil.test\r\n" + BEARER + b"Connection: close\r\n\r\n", 403,
    ),
    "not JSON by its type": (
        POST + BEARER + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415,
    ),
    "deep JSON": (
        POST + BEARER + JSON + b"Content-Length: 60000\r\n\r\n" + b"[" * 60000, 400,
    ),
    "a long body": (POST + BEARER + JSON + b"Content-Length: 99999\r\n\r\n" + b" " * 99999, 413),
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGERS)
def test_a_stranger_is_refused(edge: Edge, case: str) -> None:
    data, status = STRANGERS[case]
    with socket.create_connection(("127.0.0.1", edge.admin_port), timeout=10) as sock:
        sock.sendall(data)
        assert sock.recv(12).split()[1] == b"%d" % status
    assert not edge.problems()


def test_who_has_the_token_is_served(edge: Edge) -> None:
    assert edge.ask_admin("GET", "/stats").status == 200
