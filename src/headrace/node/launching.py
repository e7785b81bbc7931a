"""How a worker's process is started: forked from a warm one, or by its command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from headrace.node.fork_server import ForkServer
from headrace.node.forks import Forks, ForkServerGoneError

log = structlog.get_logger("headrace.workers")


class Process(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its id."""
        ...

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs, or while nobody has waited for it."""
        ...

    async def wait(self) -> int:
        """Wait for its end; return its exit code, less than 0 for a signal."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


Launch = Callable[[int], Awaitable[Process]]
"""Starts a process that has this descriptor, its channel. Raises OSError."""


class Launcher:
    """Starts workers from the fork server, and by their command where there is none any more."""

    def __init__(self, command: Sequence[str], server: ForkServer | None = None) -> None:
        self._command = tuple(command)
        self._server = server
        self._forks: Forks | None = None

    async def __call__(self, channel: int) -> Process:
        """Start one, which has the descriptor `channel`. Raises OSError."""
        if self._server is not None and self._forks is None:
            self._forks = Forks(self._server)
        if self._forks is not None:
            try:
                return await self._forks.fork(channel)
            except ForkServerGoneError as error:
                log.error("fork_server_gone", problem=str(error))
                self._server = self._forks = None
        # Its own session: a Ctrl-C at the terminal goes to the supervisor, which drains.
        return await asyncio.create_subprocess_exec(
            *self._command,
            str(channel),
            pass_fds=[channel],
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Start no more from here on but by the command."""
        if self._server is not None and self._forks is None:
            self._forks = Forks(self._server)
        if self._forks is not None:
            self._forks.close()
        self._server = self._forks = None
