"""What a worker does on the side, every few seconds: release what is no longer of use."""

from __future__ import annotations

import asyncio
import time

from headrace.edge.body.held_bytes import held_bytes
from headrace.edge.context import WorkerContext
from headrace.store import StoreError

PERIOD_S = 2.0


class Housekeeping:
    """A timer on the event loop; `stop` ends it."""

    def __init__(self, edge: WorkerContext) -> None:
        self._edge = edge
        self._timer: asyncio.TimerHandle = edge.loop.call_later(PERIOD_S, self._tend)

    def _tend(self) -> None:
        edge = self._edge
        try:
            edge.apply_purges()
        except StoreError as error:
            edge.store_trouble(error)  # requests see to it themselves
        edge.hot.drop_unused(time.time())
        edge.bodies.drop_removed()
        edge.store.state.publish_held(held_bytes() + edge.store.spares.held_bytes)
        edge.membership.look_at_secrets()
        self._timer = edge.loop.call_later(PERIOD_S, self._tend)

    def stop(self) -> None:
        """Stop, at the end of the worker."""
        self._timer.cancel()
