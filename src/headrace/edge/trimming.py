"""Evicts, between requests, what a worker's commits left above the store's capacity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headrace.store import Store, StoreError
from headrace.store.trimming import trim

PAUSE_S = 0.005
"""Between two batches, each of which takes about as long: clients have their turns."""
MOST_BATCHES = 100
"""In a row; the supervisor's sweep does what is left then, as after the size was lowered."""


class Trimming:
    """Evicts from `begin` on, until there is no more to do; `stop` ends it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: Store,
        on_trouble: Callable[[Exception], None],
    ) -> None:
        self._loop = loop
        self._store = store
        self._on_trouble = on_trouble
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Evict soon."""
        self._left = MOST_BATCHES
        if self._timer is None:
            self._timer = self._loop.call_later(PAUSE_S, self._step)

    def stop(self) -> None:
        """Stop, at the end of the worker."""
        self._left = 0
        if self._timer is not None:
            self._timer.cancel()

    def _step(self) -> None:
        self._timer = None
        self._left -= 1
        try:
            more = trim(self._store)
        except (StoreError, OSError) as error:
            self._on_trouble(error)  # the sweep tries again
            return
        if more and self._left > 0:
            self._timer = self._loop.call_later(PAUSE_S, self._step)
