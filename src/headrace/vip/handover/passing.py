"""Has the kernel do what is wished, and counts what it did. What fails is said, and tried again."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import msgspec
import structlog

from headrace.vip.handover.counted import Counted, read_counters
from headrace.vip.handover.loose import loosen
from headrace.vip.handover.programs import ProgramError, run
from headrace.vip.handover.ruleset import DEVICE, TABLE, no_rules, ruleset
from headrace.vip.handover.tunnel import connect, forward, make, remove
from headrace.vip.handover.wish import Wish

COUNT_S = 5.0
"""Counters are read, and it is seen whether the rules are there, once in so long."""
RETRY_S = 10.0

log = structlog.get_logger("headrace.vip")


class Passing:
    """The tunnel and the rules. `done` is what holds now; `problem` why it is not the wish."""

    def __init__(self) -> None:
        self.problem = ""
        self.done: Wish | None = None
        self.counted = Counted()
        self._wish: Wish | None = None
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def takes(self) -> int | None:
        """The port at which packets of the siblings are taken; None where they are not."""
        return None if self.done is None else self.done.port

    def want(self, wish: Wish) -> None:
        """Have this from now on."""
        if wish != self._wish:
            self._wish = wish
            self._soon.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, *, remove_all: bool) -> None:
        """Stop; `remove_all`: leave nothing behind."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if remove_all:
            await clear()

    async def _run(self) -> None:
        while True:
            self._soon.clear()
            wait_s = COUNT_S
            try:
                await self._once()
                self.problem = ""
            except (ProgramError, OSError) as error:
                wait_s = RETRY_S
                self._failed(str(error))
            except Exception as error:  # a fault of ours must not end it for good
                wait_s = RETRY_S
                log.exception("handover_failed")
                self._failed(type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), wait_s)

    def _failed(self, problem: str) -> None:
        self.done = None
        if problem != self.problem:
            self.problem = problem
            log.error("handover_failed", problem=problem)

    async def _once(self) -> None:
        wish, done = self._wish, self.done
        if wish is None:
            return
        if done is not None and not await self._is_there():
            log.warning(
                "handover_removed", remedy="somebody removed its rules: they are made again"
            )
            self.done = done = None
        if done is None:
            await _tunnel(wish, fresh=True)
        elif wish.tunnel != done.tunnel:
            moved = (wish.address, wish.mac, wish.port) != (done.address, done.mac, done.port)
            await _tunnel(wish, fresh=moved)
        elif {one.version for one in wish.vips} != {one.version for one in done.vips}:
            await _tunnel(wish, fresh=False)
        if wish != done:
            await run("nft", "-f", "-", lines=ruleset(wish))
            self.counted.begun_again()
            self.done = wish

    async def _is_there(self) -> bool:
        """Read the counters; return whether tunnel and rules are there still."""
        try:
            socket.if_nametoindex(DEVICE)
        except OSError:
            return False
        found = {}
        for family in ("ip", "ip6"):
            try:
                output = await run("nft", "-j", "list", "counters", "table", family, TABLE)
                found.update(read_counters(output))
            except (ProgramError, msgspec.DecodeError):
                return False
        self.counted.take(found)
        return True


async def clear() -> None:
    """Remove what this process or one before it has left; what is not there is not missed."""
    for program, words, text in (
        ("nft", ("-f", "-"), no_rules()),
        ("ip", ("-batch", "-"), "\n".join([*remove(), ""])),
    ):
        with contextlib.suppress(ProgramError):
            await run(program, *words, lines=text)


async def _tunnel(wish: Wish, *, fresh: bool) -> None:
    versions = {one.version for one in wish.vips}
    lines = [*(make(wish) if fresh else ()), *connect(wish, versions)]
    if fresh:
        with contextlib.suppress(ProgramError):
            await run("ip", "-batch", "-", lines="\n".join([*remove(), ""]))
    await run("ip", "-batch", "-", lines="\n".join([*lines, ""]))
    if wish.siblings:
        await run("bridge", "-batch", "-", lines="\n".join([*forward(wish), ""]))
    loosen(DEVICE)
