"""Who is let in, and how many at a time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from headrace.http.parser import HeadLimits
from headrace.http.server.acceptor import ACCEPTS_PER_REST, Listener, Server
from headrace.http.server.context import ClientTimeouts, ConnectionLimits
from headrace.http.server.tls_socket import TlsSocket
from headrace.node.answering import Answering
from headrace.telemetry.metrics import WorkerMetrics
from tests.harness.certificates import Authority

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


def test_a_client_that_takes_no_handshake_and_sends_more_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Authority(tmp_path).issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    calls = []
    real = TlsSocket.do_handshake

    def counted(self: TlsSocket) -> None:
        calls.append(self)
        real(self)

    async def run() -> None:
        server = Server(Answering(WorkerMetrics()), asyncio.get_running_loop())
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(1000))
        with theirs:
            outgoing = ssl.MemoryBIO()
            client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls = client.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            theirs.send(outgoing.read())
            listener = Listener(theirs, "here", context)
            let_in = server._admit(ours.detach(), "", listener)
            assert let_in is not None
            let_in.begin()
            for _ in range(10):
                await asyncio.sleep(0)
            theirs.send(b"no TLS")
            calls.clear()
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(calls) <= 1
            while True:
                with contextlib.suppress(BlockingIOError):
                    theirs.recv(1 << 20)
                    continue
                break
            for _ in range(10):
                await asyncio.sleep(0)
            assert not server.connections  # what has come is read again
            server.close()

    monkeypatch.setattr(TlsSocket, "do_handshake", counted)
    asyncio.run(run())
