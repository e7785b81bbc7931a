"""Event loops that stand still until a test turns them, all by one clock that it moves.

Several of them live in one thread: each is one process's loop of a scene. Within a loop the order
is asyncio's own.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from selectors import SelectorKey


class SharedTime:
    """What time it is for all loops of a scene, in seconds."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s


class _NoFiles:
    """A selector that waits for nothing."""

    def select(self, _timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        return []


class SteppedLoop(asyncio.BaseEventLoop):
    """A loop without descriptors. `turn` runs what is ready, once."""

    def __init__(self, shared_time: SharedTime) -> None:
        super().__init__()
        self._shared_time = shared_time
        self._selector = _NoFiles()
        self.faults: list[str] = []
        self.set_exception_handler(self._note)

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    def time(self) -> float:
        return self._shared_time.now_s

    def _process_events(self, _events: object) -> None:
        return

    def _write_to_self(self) -> None:
        return

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let the block run as a callback of this loop would, another loop's callback or not."""
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)  # a loop can only be set where none is
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(outer)

    def turn(self) -> None:
        """Run what is ready now, as one turn of a loop does."""
        with self.inside():
            self._run_once()  # type: ignore[attr-defined]

    @property
    def is_ready(self) -> bool:
        """Whether a turn would run anything."""
        due_s = self.next_timer_s
        return bool(self._ready) or (  # type: ignore[attr-defined]
            due_s is not None and due_s <= self._shared_time.now_s
        )

    @property
    def next_timer_s(self) -> float | None:
        """When the next timer is due."""
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0].cancelled():
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
        return scheduled[0].when() if scheduled else None
