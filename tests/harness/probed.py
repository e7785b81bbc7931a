"""Servers to be probed, and links that can be cut: all in one thread of the test's process."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.harness.accepted import Accepted, Serve

BODY = b"what every server has"
Value = TypeVar("Value")


class Manner(enum.Enum):
    """How a server behaves."""

    WELL = "well"
    GONE = "gone"
    HANGS = "hangs"
    LIES = "lies"
    DRIPS = "drips"


class Background:
    """An event loop in a thread."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._servers: list[tuple[asyncio.Server, Accepted]] = []
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.do(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def listen(self, serve: Serve, address: str, port: int) -> asyncio.Server:
        """Serve at an address until this ends."""
        accepted = Accepted(serve)
        server = await asyncio.start_server(accepted, address, port)
        self._servers.append((server, accepted))
        return server

    async def _end(self) -> None:
        # What asyncio is about to accept is not closed by it where the server is closed meanwhile.
        while accepting := [task for task in asyncio.all_tasks() if _accepts(task)]:
            await asyncio.gather(*accepting)
        for server, _accepted in self._servers:
            server.close()
        for _server, accepted in self._servers:
            await accepted.end()

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Return what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


def _accepts(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__name__", "") == "_accept_connection2"


class ProbedServer:
    """A server at a port of its own that behaves as it is told."""

    def __init__(self, background: Background, address: str = "127.0.0.1") -> None:
        self.address = address
        self.manner = Manner.WELL
        self.probes = 0
        self._background = background
        self._server: asyncio.Server | None = None
        self.port = background.do(self._listen(0))

    def become(self, manner: Manner) -> None:
        """Behave otherwise from now on."""
        self.manner = manner
        if manner is Manner.GONE:
            self._background.do(self._close())
        elif self._server is None:
            self._background.do(self._listen(self.port))

    async def _listen(self, port: int) -> int:
        self._server = await self._background.listen(self._serve, self.address, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            try:
                await reader.readuntil(b"\r\n\r\n")
                self.probes += 1
                body = b"x" * len(BODY) if self.manner is Manner.LIES else BODY
                if self.manner is Manner.HANGS:
                    await asyncio.sleep(10)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                if self.manner is Manner.DRIPS:
                    writer.write(body[:1])
                    await asyncio.sleep(0.6)
                    body = body[1:]
                writer.write(body)
                await writer.drain()
            finally:
                writer.transport.abort() if self.manner is Manner.HANGS else writer.close()


class Link:
    """A way to somewhere else that can be cut: connections over it end, and no new one is made."""

    def __init__(self, background: Background, port: int) -> None:
        self._background = background
        self._to = port
        self._cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self.port = background.do(self._listen())

    @property
    def url(self) -> str:
        """Where it begins."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self, cut: bool) -> None:
        """Cut it, or mend it."""
        self._background.do(self._set(cut))

    async def _set(self, cut: bool) -> None:
        self._cut = cut
        for writer in list(self._open) if cut else ():
            writer.transport.abort()

    async def _listen(self) -> int:
        server = await self._background.listen(self._pass, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, to_writer}
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))
        finally:
            self._open -= {writer, to_writer}
            writer.transport.abort()
            to_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
