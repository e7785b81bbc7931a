"""Ends tasks for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 0.5


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until each has ended: what a task waits for may swallow that it was cancelled,
    when several things are due at once, and whoever waited for it then would wait for ever.
    """
    pending = set(tasks)
    while pending:
        for one in pending:
            one.cancel()
        done, pending = await asyncio.wait(pending, timeout=AGAIN_S)
        for one in done:
            if not one.cancelled():
                one.exception()  # it was told by who ran it; nobody else asks
