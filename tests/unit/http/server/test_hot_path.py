"""What a connection does for a request that is answered from memory, call by call.

Each call of a Python function costs a hundredth of such an answer's time, so one that is added here
is to be meant.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from types import FrameType

import pytest

from headrace.http.parser import BadRequest
from headrace.http.server.acceptor import Server
from headrace.http.server.connection import Connection
from headrace.http.server.exchange import Exchange

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Ready:
    """Answers at once, with a head and a body or with both in one."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole

    def handle(self, exchange: Exchange) -> None:
        if self.whole:
            exchange.respond_at_once(200, HEAD + b"ok")
        else:
            exchange.respond(200, HEAD, memoryview(b"ok"))

    def refused(self, exchange: Exchange, error: BadRequest) -> None:
        raise AssertionError(error)

    def finished(self, exchange: Exchange, ended: str) -> None:
        assert ended == "complete"

    def event(self, kind: str, reason: str) -> None:
        pass

    def connections_changed(self, opened: int, closed: int) -> None:
        pass


@pytest.fixture(params=[True, False], ids=["whole", "head and body"])
def handler(request: pytest.FixtureRequest) -> Ready:
    return Ready(whole=request.param)


@pytest.fixture
def server(handler: Ready) -> Iterator[Server]:
    with closing(asyncio.new_event_loop()) as loop, closing(Server(handler, loop)) as made:
        yield made


def called_for(connection: Connection, client: socket.socket) -> list[str]:
    """The Python functions that are called for one request that was seen before."""
    called: list[str] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    for _before in range(2):
        client.send(REQUEST)
        connection._on_readable()
        assert client.recv(1000) == HEAD + b"ok"
    client.send(REQUEST)
    former = sys.getprofile()
    sys.setprofile(note)
    try:
        connection._on_readable()
    finally:
        sys.setprofile(former)
    assert client.recv(1000) == HEAD + b"ok"
    return called


def test_a_hit_costs_these_calls_and_no_others(server: Server, handler: Ready) -> None:
    ours, client = socket.socketpair()
    with client:
        ours.setblocking(False)
        connection = Connection(server, ours, "192.0.2.1", "l", tls=False)
        server.connections.add(connection)
        connection.begin()
        if handler.whole:
            answering = ["respond_at_once"]
        else:
            answering = ["respond", "_with_connection"]
        assert called_for(connection, client) == [
            "_on_readable", "_begin", "handle", *answering, "_send_first", "_complete", "finished",
        ]  # fmt: skip
