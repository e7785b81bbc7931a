"""Who is let in, and how many at a time."""

from __future__ import annotations

import asyncio
import math
import socket
from contextlib import ExitStack

import pytest

from headrace.http.parser import HeadLimits
from headrace.http.server.acceptor import ACCEPTS_PER_REST, Listener, Server
from headrace.http.server.context import ClientTimeouts, ConnectionLimits
from headrace.node.answering import Answering
from headrace.telemetry.metrics import WorkerMetrics

CLIENTS = 3 * ACCEPTS_PER_REST


@pytest.mark.parametrize(
    ("accepts_per_s", "first"),
    [(math.inf, CLIENTS), (0.001, ACCEPTS_PER_REST)],
    ids=["all", "some"],
)
def test_of_a_flood_only_so_many_are_let_in_at_a_time(accepts_per_s: float, first: int) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = Server(Answering(WorkerMetrics()), loop)
        limits = ConnectionLimits(accepts_per_s=accepts_per_s)
        server.configure(HeadLimits(), ClientTimeouts(), limits)
        with ExitStack() as clients:
            listening = socket.create_server(("127.0.0.1", 0), backlog=2 * CLIENTS)
            listening.setblocking(False)
            address = listening.getsockname()
            for _ in range(CLIENTS):
                clients.enter_context(socket.create_connection(address))
            server.listen(Listener(listening, "here", None))
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert len(server.connections) == first
            server._continue_accepting()
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert len(server.connections) == min(CLIENTS, 2 * first)
            server.close()

    asyncio.run(run())
