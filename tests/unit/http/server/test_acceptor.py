"""Who is let in, and how many at a time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import math
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from headrace.http.parser import HeadLimits
from headrace.http.server import acceptor
from headrace.http.server.acceptor import ACCEPTS_PER_REST, ACCEPTS_PER_WAKE, Listener, Server
from headrace.http.server.connection import Connection
from headrace.http.server.context import ClientTimeouts, ConnectionLimits
from headrace.http.server.exchange import Exchange
from headrace.http.server.tls_ring import new_ring
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


REQUEST = b"GET /readyz HTTP/1.1\r\nHost: a\r\n"
LAST_REQUEST = REQUEST + b"Connection: close\r\n\r\n"


class Ready(Answering):
    """Answers every request at once."""

    def handle(self, exchange: Exchange) -> None:
        exchange.respond(204, b"HTTP/1.1 204 No Content\r\n\r\n")

    def finished(self, exchange: Exchange, ended: str) -> None:
        assert ended == "complete"


@pytest.mark.parametrize(
    ("sent", "watched", "answered", "stays"),
    [
        pytest.param(LAST_REQUEST, 0, True, False, id="one request and no more"),
        pytest.param(REQUEST + b"\r\n", 1, True, True, id="one request"),
        pytest.param(REQUEST, 1, False, True, id="part of a request"),
        pytest.param(b"", 1, False, True, id="nothing"),
    ],
)
def test_what_comes_with_a_connection_is_read_at_once(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, watched: int, answered: bool, stays: bool
) -> None:
    """It is accepted, answered, and only if it stays waited for."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = Server(Ready(WorkerMetrics()), loop)
        calls: list[object] = []
        add_reader = loop.add_reader

        def counted(descriptor: int, *call: Any) -> None:
            calls.append(call)
            add_reader(descriptor, *call)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            with socket.create_connection(listening.getsockname()) as client:
                client.sendall(sent)
                monkeypatch.setattr(loop, "add_reader", counted)
                assert server._accept(Listener(listening, "here", None)) == 1
                assert len(calls) == watched
                assert len(server.connections) == stays
                client.settimeout(10 if answered else 0)
                with contextlib.suppress(BlockingIOError):
                    assert client.recv(1000).startswith(b"HTTP/1.1 ") is answered
                server.close()

    asyncio.run(run())


def test_who_waits_when_it_stops_is_told_that_the_connection_ends() -> None:
    async def run() -> None:
        server = Server(Ready(WorkerMetrics()), asyncio.get_running_loop())
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        server.listen(Listener(listening, "here", None))
        with socket.create_connection(listening.getsockname()) as client:
            client.sendall(REQUEST + b"\r\n")
            server.stop()
            client.settimeout(10)
            assert b"\r\nConnection: close\r\n" in client.recv(1000)
        server.close()

    asyncio.run(run())


class Crowd:
    """A listening socket at which one more client always waits."""

    family, type = socket.AF_UNIX, socket.SOCK_STREAM

    def __init__(self) -> None:
        self.taken: list[socket.socket] = []
        self.waits, self.watched = socket.socketpair()

    def fileno(self) -> int:
        return self.watched.fileno()

    def _accept(self) -> tuple[int, str]:
        assert len(self.taken) < 1000, "it takes them for ever"
        ours, theirs = socket.socketpair()
        self.taken.append(theirs)
        return ours.detach(), ""

    def close(self) -> None:
        for sock in (self.waits, self.watched, *self.taken):
            sock.close()


class OfNoUse(Crowd):
    """A listening socket that is reported as readable, and of which accepting fails."""

    def __init__(self, error: int, times: int) -> None:
        super().__init__()
        self.error, self.left, self.asked = error, times, 0
        self.waits.send(b"!")

    def _accept(self) -> tuple[int, str]:
        self.asked += 1
        assert self.asked < 1000, "it asks for ever"
        if self.left:
            self.left -= 1
            raise OSError(self.error, "fails")
        if self.taken:
            raise BlockingIOError
        return super()._accept()


@pytest.mark.parametrize(
    ("times", "watched", "taken"),
    [
        pytest.param(3, True, 1, id="clients that gave up"),
        pytest.param(10_000, False, 0, id="a socket of no use"),
    ],
)
def test_a_socket_on_which_accepting_always_fails_keeps_no_worker_busy(
    times: int, watched: bool, taken: int
) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        faults: list[object] = []
        loop.set_exception_handler(lambda _loop, said: faults.append(said["exception"]))
        server = Server(Answering(WorkerMetrics()), loop)
        sock = OfNoUse(errno.EINVAL, times)
        server.listen(Listener(sock, "here", None))  # type: ignore[arg-type]
        for _ in range(5):
            await asyncio.sleep(0)
        assert loop.remove_reader(sock.fileno()) is watched
        assert len(sock.taken) == taken
        assert len(faults) == (not watched)
        server.close()

    asyncio.run(run())


@pytest.mark.parametrize("accepts_per_s", [math.inf, 0.001], ids=["at any pace", "at a pace"])
def test_it_takes_what_the_queue_holds_and_stops_though_ever_more_come(
    accepts_per_s: float,
) -> None:
    async def run() -> None:
        server = Server(Answering(WorkerMetrics()), asyncio.get_running_loop())
        limits = ConnectionLimits(accepts_per_s=accepts_per_s)
        server.configure(HeadLimits(), ClientTimeouts(), limits)
        crowd = Crowd()
        listener = Listener(crowd, "here", None, backlog=200)  # type: ignore[arg-type]
        server.listen(listener)
        server.stop_listening(listener)
        assert 200 < len(crowd.taken) <= 200 + ACCEPTS_PER_WAKE
        assert len(server.connections) == len(crowd.taken)
        server.close()

    asyncio.run(run())


def test_a_fault_in_one_new_connection_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        faults: list[object] = []
        loop.set_exception_handler(lambda _loop, said: faults.append(said["exception"]))
        server = Server(Answering(WorkerMetrics()), loop)
        begun: list[Connection] = []

        def begin(connection: Connection) -> None:
            begun.append(connection)
            raise KeyError(len(begun))

        monkeypatch.setattr(Connection, "begin", begin)
        with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as clients:
            listening.setblocking(False)
            for _ in range(2):
                clients.enter_context(socket.create_connection(listening.getsockname()))
            assert server._accept(Listener(listening, "here", None)) == 2
            assert len(begun) == len(faults) == 2
            server.close()

    asyncio.run(run())


def test_workers_that_copy_windows_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        for ring, counted in ((new_ring(), 0), (None, 1)):
            monkeypatch.setattr(acceptor, "new_ring", lambda ring=ring: ring)
            metrics = WorkerMetrics()
            server = Server(Answering(metrics), loop)
            for _ in range(2):
                assert server.prepare_tls() is (ring is not None)
            assert metrics.tls_windows_copied == counted
            server.close()

    asyncio.run(run())


def test_a_closed_connection_is_freed_at_once(tmp_path: Path) -> None:
    """Its time limit, seconds ahead, does not hold it, nor does a circle of references."""
    pair = Authority(tmp_path).issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)

    async def run() -> int:
        server = Server(Answering(WorkerMetrics()), asyncio.get_running_loop())
        ours, theirs = socket.socketpair()
        with theirs:
            let_in = server._admit(ours.detach(), "", Listener(theirs, "here", context))
            assert let_in is not None
            let_in.begin()
        del let_in
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert not server.connections
        server.close()
        return held()

    def held() -> int:
        return sum(isinstance(each, Connection | TlsSocket) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = held()
        assert asyncio.run(run()) == before
    finally:
        gc.enable()


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
