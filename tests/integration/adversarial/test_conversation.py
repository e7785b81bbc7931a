"""The harness itself: a conversation goes as it is written, and each side hears exact bytes."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.raw_origin import HeardNothing, RawOrigin, reply


def test_each_side_hears_what_the_other_said(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    with raw_edge.client() as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n".encode())
        client.send(b"hello")

        heard = raw_origin.hears()
        assert heard.raw.startswith(f"POST {path} HTTP/1.1\r\n".encode())
        assert heard.raw.endswith(b"\r\n\r\n")
        assert heard.header("host") == "a.test"
        assert heard.body() == b"hello"
        assert heard.talk.unread == b""

        heard.says(reply(b"world", cache_control="no-store"))
        assert client.response(method="POST").body == b"world"


def test_a_connection_that_is_used_again_is_heard_too(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    for turn in range(2):
        with raw_edge.client() as client:
            client.ask(f"{path}/{turn}")
            heard = raw_origin.hears()
            assert heard.target == f"{path}/{turn}"
            heard.says(reply(b"%d" % turn, cache_control="no-store"))
            assert client.response().body == b"%d" % turn


def test_an_origin_that_hears_nothing_says_so(raw_origin: RawOrigin, raw_edge: Edge) -> None:
    raw_origin.hears_nothing(0.1)
    with pytest.raises(HeardNothing):
        raw_origin.hears(0.1)
    with raw_edge.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nCache-Control: no-cache\r\n\r\n")
        with pytest.raises(AssertionError, match="the origin heard"):
            raw_origin.hears_nothing(2)
        raw_origin.hears().says(reply(cache_control="no-store"))
        assert client.response().status == 200


def test_an_origin_leaves_in_the_middle(raw_origin: RawOrigin, raw_edge: Edge, path: str) -> None:
    with raw_edge.client() as client:
        client.ask(path)
        heard = raw_origin.hears()
        heard.says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: no-store\r\n\r\nhalf")
        heard.resets()
        found = client.response()
        assert (found.complete, found.body) != (True, b"half")
        assert found.status in (200, 502)
