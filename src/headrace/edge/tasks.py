"""Tasks that no one awaits: held on to while they run, and heard of when they fail."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

log = structlog.get_logger()


class Tasks:
    """The running tasks of one worker."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def track(self, task: asyncio.Task[Any]) -> None:
        """Hold on to a task, and log it if it ends by a fault of ours."""
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", exc_info=task.exception())

    async def settle(self) -> None:
        """Wait until none runs."""
        while self._running:
            await asyncio.wait(set(self._running))

    def cancel(self) -> None:
        """Cancel all of them."""
        for task in set(self._running):
            task.cancel()
