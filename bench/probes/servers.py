"""Light servers to probe: many ports in one process, each connection answered once and closed."""

from __future__ import annotations

import asyncio
import multiprocessing
import ssl
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import uvloop
from tests.harness.certificates import Authority, Pair

HOST = "probe.example.org"
BODY = bytes(range(256)) * 8
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)
CLOSED, SILENT = 50, 50
"""One server in so many hangs, and one is not there."""


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's classes, but does the same.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(ANSWER)
            self.transport.close()


class _Silent(asyncio.Protocol):
    pass


async def _serve(count: int, pair: Pair | None, pipe: Connection, *, faulty: bool) -> None:
    loop = asyncio.get_running_loop()
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
    ports = []
    for number in range(count):
        kind = _Silent if faulty and number % SILENT == 1 else _Answering
        server = await loop.create_server(kind, "127.0.0.1", 0, backlog=16, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        if faulty and number % CLOSED == 2:
            server.close()
    pipe.send(ports)
    await loop.run_in_executor(None, pipe.recv)


def _process(count: int, pair: Pair | None, pipe: Connection, faulty: bool) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(count, pair, pipe, faulty=faulty))


class FakeServers:
    """So many servers in a process of their own. `ca` is who signed their certificate."""

    def __init__(self, count: int, *, tls: bool, faulty: bool) -> None:
        self._directory = tempfile.TemporaryDirectory()
        authority = Authority(Path(self._directory.name)) if tls else None
        self.ca = None if authority is None else authority.ca_file
        pair = None if authority is None else authority.issue(HOST)
        fresh = multiprocessing.get_context("spawn")
        self._pipe, theirs = fresh.Pipe()
        self._process = fresh.Process(target=_process, args=(count, pair, theirs, faulty))
        self._process.start()
        self.ports: list[int] = self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
        self._directory.cleanup()
