"""Walks a request through the table of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping

from headrace.edge.request.steps import NEXT, Step
from headrace.store import StoreError

Does = Callable[[], Awaitable[Step]]


async def walk(
    does: Mapping[Step, Does],
    pauses: Iterator[float],
    contended: Callable[[], Step],
    in_trouble: Callable[[Step, StoreError], Step],
) -> None:
    """Carry out LOOKUP and what follows, to the end.

    A step that leads back to LOOKUP waits for the next of `pauses` first; when there are no more,
    `contended` says how to continue. `in_trouble` says so after a StoreError, or raises it. Raises
    what steps raise, and AssertionError for a step that the table does not know there.
    """
    step = Step.LOOKUP
    pause_s = next(pauses, None)
    while step is not Step.DONE:
        try:
            following = await does[step]()
        except StoreError as error:
            following = in_trouble(step, error)
        if following not in NEXT[step]:
            raise AssertionError(f"{following} after {step}")
        if following is Step.LOOKUP:
            if pause_s:
                await asyncio.sleep(pause_s)
            pause_s = next(pauses, None)
            if pause_s is None:
                following = contended()
        step = following
