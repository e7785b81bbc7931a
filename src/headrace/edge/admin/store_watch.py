"""Watches whether the store's disk takes what workers write, and says so once."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog

from headrace.edge.admin.store_thread import StoreThread
from headrace.errors import HeadraceError

PERIOD_S = 2.0

log = structlog.get_logger("headrace.maintenance")


class StoreWatch:
    """Looks until it is closed. `problem` says why nothing is taken; "": all is."""

    def __init__(self, store: StoreThread, cache_dir: Path, *, period_s: float = PERIOD_S) -> None:
        self.problem = ""
        self._store = store
        self._cache_dir = str(cache_dir)
        self._period_s = period_s
        self._task = asyncio.create_task(self._run(), name="store watch")

    async def close(self) -> None:
        """Stop."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            try:
                self._take(await self._store.refusal())
            except (HeadraceError, OSError) as error:
                self._take(f"its disk cannot be tried: {error}")
            await asyncio.sleep(self._period_s)

    def _take(self, problem: str) -> None:
        before, self.problem = self.problem, problem
        if problem and not before:
            log.warning("store_refuses", problem=problem, cache_dir=self._cache_dir)
        elif before and not problem:
            log.info("store_takes_again", problem=before, cache_dir=self._cache_dir)
