"""The sweep: cleans up the store in small steps, in the store's thread.

It decides only when to sweep; what a step does (finishing purges, orphans, rebuilding the index)
is the store's.
"""

from __future__ import annotations

import asyncio

import structlog

from headrace.edge.admin.store_thread import StoreThread
from headrace.errors import HeadraceError

IDLE_PAUSE_S = 10.0
BUSY_PAUSE_S = 0.02
TROUBLE_PAUSE_S = 30.0

log = structlog.get_logger("headrace.maintenance")


class StoreMaintenance:
    """Sweeps until closed: step after step while there is work, else now and then."""

    def __init__(self, store: StoreThread, *, idle_pause_s: float = IDLE_PAUSE_S) -> None:
        self._store = store
        self._idle_pause_s = idle_pause_s
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="maintenance")

    def wake(self) -> None:
        """There is work: do not wait for the next round."""
        self._wake.set()

    async def close(self) -> None:
        """Stop after the step that runs, which may still use the store until then."""
        self._closing = True
        self._wake.set()
        await self._task

    async def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            pause_s = await self._step()
            if self._closing:
                return
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _step(self) -> float:
        try:
            more = await self._store.sweep()
        except (HeadraceError, OSError) as error:
            log.error("sweep_failed", problem=str(error), retry_in_s=TROUBLE_PAUSE_S)
            return TROUBLE_PAUSE_S
        return BUSY_PAUSE_S if more else self._idle_pause_s
