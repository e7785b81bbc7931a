"""Watches the worker from the supervisor: one that does not come to a decision in time is killed,
and the node starts another. What it announced goes with it: that is the speaker's part.
"""

from __future__ import annotations

import asyncio

import structlog

from headrace.node.running import Node
from headrace.vip.admin.questions import Answer, AskBeat

ASK_S = 0.2

log = structlog.get_logger("headrace.vip")


class Watchdog:
    """Asks for a beat five times a second. `bites` counts workers that were killed since they had
    made no plan for `limit_s`, which may be changed.
    """

    def __init__(self, limit_s: float, node: Node) -> None:
        self.bites = 0
        self.limit_s = limit_s
        self._node = node
        self._pid = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        beat_s, bitten = loop.time(), False
        while True:
            asked_s, limit_s = loop.time(), self.limit_s
            found = await self._node.workers.ask_each(AskBeat(), Answer, within_s=limit_s / 2)
            if loop.time() - asked_s > limit_s:
                beat_s = loop.time()  # this process itself did not run
            beat = found[0].beat if found else None
            if beat is not None and beat.plan_age_s < limit_s:
                self._pid, beat_s, bitten = beat.pid, loop.time(), False
            elif loop.time() - beat_s >= limit_s and not bitten:
                self._bite()
                bitten = True
            await asyncio.sleep(ASK_S)

    def _bite(self) -> None:
        """Kill the worker that was heard last, if it is there."""
        pid, self._pid = self._pid, 0
        if pid and self._node.workers.kill(pid):
            self.bites += 1
            log.error("worker_hangs", pid=pid, limit_s=self.limit_s)
