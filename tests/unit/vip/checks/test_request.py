"""One request after the other over a connection, to an edge that says what it likes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest

from headrace.vip.checks.judged import Check
from headrace.vip.checks.request import LARGEST_BYTES, BadAnswer, CheckConnection

HERE = ip_address("127.0.0.1")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Edge:
    """Says `answer` to each request, and lets one connection be made to it."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.check = Check(host="h", path="/", port=0, secure=False)
        self.writer: asyncio.StreamWriter
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the other side of a connection."""
        self.writer = writer
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                writer.write(self.answer)
        writer.close()
        self.gone.set()


def with_edge(answer: bytes, test: Callable[[Edge, CheckConnection], Awaitable[None]]) -> None:
    """Run a test with a connection to an edge."""

    async def run() -> None:
        edge = Edge(answer)
        server = await asyncio.start_server(edge.serve, str(HERE), 0)
        port = server.sockets[0].getsockname()[1]
        edge.check = Check(host="h", path="/", port=port, secure=False)
        connection = await CheckConnection.open(HERE, edge.check, None, here=True)
        try:
            await asyncio.wait_for(test(edge, connection), 10)
        finally:
            connection.close()
            await asyncio.wait_for(edge.gone.wait(), 10)
            server.close()
            await asyncio.sleep(0)

    asyncio.run(run())


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def test(edge: Edge, connection: CheckConnection) -> None:
        for _ in range(3):
            assert (await connection.ask(edge.check)).body == b"ok"
            assert connection.is_open

    with_edge(ANSWER, test)


def test_what_comes_behind_the_answer_is_not_the_next_one() -> None:
    """An edge could hang for as long as it had sent answers ahead."""

    async def test(edge: Edge, connection: CheckConnection) -> None:
        with pytest.raises(BadAnswer, match="more came than the answer"):
            await connection.ask(edge.check)
        assert not connection.is_open

    with_edge(ANSWER * 2, test)


def test_what_comes_unasked_is_no_answer() -> None:
    async def test(edge: Edge, connection: CheckConnection) -> None:
        await connection.ask(edge.check)
        edge.writer.write(ANSWER)
        for _ in range(100):
            await asyncio.sleep(0.05 * connection.is_open)
        assert not connection.is_open

    with_edge(ANSWER, test)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: " + bytes(1024 * 1024) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" * 100,
        b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER,
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    ],
    ids=["long-head", "many-fields", "long-body", "chunks", "interim", "no-http"],
)
def test_what_is_no_answer(answer: bytes) -> None:
    async def test(edge: Edge, connection: CheckConnection) -> None:
        with pytest.raises(BadAnswer):
            await connection.ask(edge.check)
        assert not connection.is_open

    with_edge(answer, test)
