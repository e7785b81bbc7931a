"""A fault of our own ends the connection that it hits: nothing else would."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from headrace.http.server.acceptor import Server
from headrace.http.server.connection import TURN_REQUESTS, Connection
from headrace.http.server.exchange import Exchange
from headrace.http.server.send_queue import BodyDamaged
from headrace.http.server.sending import State
from headrace.node.answering import Answering
from headrace.telemetry.metrics import WorkerMetrics

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class Faulty(Answering):
    """Answers some requests, and then fails."""

    def __init__(self, answered: int) -> None:
        super().__init__(WorkerMetrics())
        self.left = answered
        self.ended: list[str] = []

    def handle(self, exchange: Exchange) -> None:
        if not self.left:
            raise KeyError("a fault")
        self.left -= 1
        exchange.respond(204, b"HTTP/1.1 204 No Content\r\n\r\n")

    def finished(self, exchange: Exchange, ended: str) -> None:
        self.ended.append(ended)


class FaultyResidency:
    """Of a body whose pages nobody can be asked for, after the first time."""

    fd, offset = -1, 0
    asked = 0

    def lend(self, *, crowded: bool) -> bool:
        return False

    def resident(self, offset: int, size_bytes: int) -> bool:
        self.asked += 1
        if self.asked > 1:
            raise KeyError("a fault")
        return True

    def load(self, offset: int, size_bytes: int) -> None:
        raise BodyDamaged

    def damaged(self, problem: str) -> None:
        raise AssertionError(problem)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with closing(asyncio.new_event_loop()) as made:
        yield made


@pytest.fixture
def faults(loop: asyncio.AbstractEventLoop) -> list[object]:
    found: list[object] = []
    loop.set_exception_handler(lambda _loop, said: found.append(said["exception"]))
    return found


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        pytest.param(REQUEST, 0, id="in one piece"),
        pytest.param(REQUEST * 3, 2, id="of several"),
        pytest.param(REQUEST * 2 * TURN_REQUESTS, TURN_REQUESTS, id="in a later turn"),
    ],
)
def test_a_request_at_which_the_handler_fails_ends_its_connection(
    loop: asyncio.AbstractEventLoop, faults: list[object], sent: bytes, answered: int
) -> None:
    handler = Faulty(answered)
    ours, client = socket.socketpair()
    ours.setblocking(False)
    with closing(Server(handler, loop)) as server, client:
        connection = Connection(server, ours, "192.0.2.1", "l", tls=False)
        server.connections.add(connection)
        client.send(sent)
        connection.begin()
        loop.run_until_complete(asyncio.sleep(0))
        assert [type(each) for each in faults] == [KeyError]
        assert handler.ended == ["complete"] * answered + ["internal_error"]
        assert connection.state is State.CLOSED
        assert not server.connections


def test_a_fault_while_the_rest_of_an_answer_is_sent_ends_its_connection(
    loop: asyncio.AbstractEventLoop, faults: list[object]
) -> None:
    size_bytes = 8 * 1024 * 1024
    handler = Faulty(0)
    ours, client = socket.socketpair()
    ours.setblocking(False)

    def handle(exchange: Exchange) -> None:
        body = memoryview(bytes(size_bytes))
        exchange.respond(200, HEAD % size_bytes, body, FaultyResidency())

    with closing(Server(handler, loop)) as server, client:
        server.handle = handle
        connection = Connection(server, ours, "192.0.2.1", "l", tls=False)
        server.connections.add(connection)
        client.send(REQUEST)
        connection.begin()
        if not faults:  # the socket was full first
            client.recv(size_bytes)
            loop.run_until_complete(asyncio.sleep(0.01))
        assert [type(each) for each in faults] == [KeyError]
        assert handler.ended == ["internal_error"]
        assert connection.state is State.CLOSED
