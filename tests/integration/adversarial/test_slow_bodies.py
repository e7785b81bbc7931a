"""Clients that drip the body of a request, to hold a connection to the origin for ever."""

from __future__ import annotations

import time
from typing import Literal

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Reply
from tests.harness.wire import WireError

EDGE: dict[str, object] = {
    "workers": 1,
    "timeouts": {"rate_window": 1, "send_min_rate": 1000, "head": 2},
}
FRAMING = {
    "length": b"Content-Length: 100000\r\n\r\n",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("framing", FRAMING)
def test_a_body_dripped_just_within_each_wait_is_cut(
    edge: Edge, origin: Origin, path: str, framing: Literal["length", "chunked"]
) -> None:
    origin.serve(path, Reply(body=b"thanks"))
    cut = edge.metric("headrace_timeouts_total", kind="slow_client")
    with edge.client() as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: x.test\r\n".encode() + FRAMING[framing])
        began = time.monotonic()
        with pytest.raises((WireError, OSError)):  # noqa: PT012
            while time.monotonic() - began < 10:
                client.send(b"x" if framing == "length" else b"1\r\nx\r\n")
                time.sleep(0.5)
            client.response()
        assert time.monotonic() - began < 10
    eventually(
        lambda: edge.metric("headrace_timeouts_total", kind="slow_client") > cut,
        "the slow client is counted",
    )


def test_a_body_that_the_origin_is_slow_to_take_is_not_cut(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(body=b"thanks", delay_s=3.0))
    with edge.client() as client:
        found = client.exchange("POST", path, body=bytes(3_000_000))
        assert (found.status, found.body) == (200, b"thanks")


def test_a_head_that_is_dripped_is_refused_when_its_time_is_over(edge: Edge, path: str) -> None:
    with edge.client() as client:
        client.send(b"GET /")
        began = time.monotonic()
        with pytest.raises(ConnectionError):  # noqa: PT012
            while time.monotonic() - began < 10:
                client.send(b"x")
                time.sleep(0.3)
        assert time.monotonic() - began < 10
