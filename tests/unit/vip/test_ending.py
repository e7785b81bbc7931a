"""A task that swallows its end once ends all the same."""

from __future__ import annotations

import asyncio
import contextlib

from headrace.vip.ending import end


def test_each_ends_also_one_that_passes_over_it_and_one_that_has_failed() -> None:
    async def deaf() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def fails() -> None:
        raise OSError("a fault")

    async def run() -> None:
        tasks = [asyncio.create_task(one()) for one in (deaf, fails, deaf)]
        await asyncio.sleep(0)
        await asyncio.wait_for(end(tasks), 20)
        assert all(one.done() for one in tasks)
        await end([])

    asyncio.run(run())
