"""The connections that a test's server accepts: none outlives it.

A coroutine that is cancelled before its first step never comes to its `finally`: the connection
would be left to the collector, which complains of it in whatever test runs then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Accepted:
    """What `asyncio.start_server` calls for a connection. `end` after the server was closed."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._run(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._done)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await self._serve(reader, writer)

    def _done(self, task: asyncio.Task[None]) -> None:
        writer = self._open.pop(task)
        if task.cancelled():
            writer.transport.abort()
        else:
            writer.close()  # what is written goes out first

    async def end(self) -> None:
        """Break all off, and wait until they are closed."""
        open_ones = dict(self._open)
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
        for writer in open_ones.values():
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
