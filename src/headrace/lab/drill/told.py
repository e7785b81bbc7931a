"""Runs what is asynchronous until it ends, or this process is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine

ENDED = 128 + signal.SIGTERM


def run_until_told(main: Coroutine[None, None, None]) -> None:
    """Run it to its end. SIGTERM cancels it, and when it has ended in order, raises SystemExit: one
    raised wherever the loop happens to be would leave tasks that nobody has waited for.
    """
    told = False

    async def watched() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def tell() -> None:
            nonlocal told
            told = True
            task.cancel()

        loop.add_signal_handler(signal.SIGTERM, tell)
        await main

    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(watched())
    except asyncio.CancelledError:
        if not told:
            raise
    finally:
        signal.signal(signal.SIGTERM, before)  # the loop leaves the system's
    if told:
        sys.exit(ENDED)
