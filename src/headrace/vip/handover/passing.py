"""Has the kernel do what is wished, and counts what it did. What fails is said, and tried again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Coroutine

import structlog

from headrace.vip.ending import end
from headrace.vip.handover.counted import Counted
from headrace.vip.handover.listeners import listeners_at
from headrace.vip.handover.loose import loosen
from headrace.vip.handover.programs import ProgramError, ProgramUnclearError, run
from headrace.vip.handover.ruleset import DEVICE, no_rules, ruleset
from headrace.vip.handover.seen import Changes, is_up, seen_rules, seen_tunnel
from headrace.vip.handover.tunnel import connect, forward, make, open_it, remove
from headrace.vip.handover.wish import Wish
from headrace.vip.plan.model import Address

COUNT_S = 5.0
"""Counters are read, and it is seen whether all is there still, once in so long."""
TUNNEL_EACH = 3
"""At each look it is seen whether the device is up, at each third one all of the tunnel."""
BETWEEN_S = 0.05
"""It is looked so long after somebody has changed rules of nftables: one change is several. The
time doubles with each time that something was lost LATELY_S ago: with two processes that both have
these rules, neither may keep the machine busy."""
LATELY_S = 60.0
RETRY_S = 10.0

LOST_DEVICE = f"its device {DEVICE}"

log = structlog.get_logger("headrace.vip")


class Passing:
    """The tunnel and the rules. `done` is what holds now; `problem` why it is not the wish. `lost`
    is called with what somebody has removed, once it is there again. `listeners` are those at VIPs
    themselves. `port` is that of the tunnel which a process before this one may have left (None:
    what it left does not count). `turn` is held while rules are changed or read: programs
    that list some are misled by others that change some.

    What was counted since it was last read is lost with each change.
    """

    def __init__(
        self, lost: Callable[[str], None], port: int | None, turn: asyncio.Lock | None = None
    ) -> None:
        self.problem = ""
        self.done: Wish | None = None
        self.counted = Counted()
        self.listeners: tuple[str, ...] = ()
        self._lost = lost
        self._turn = asyncio.Lock() if turn is None else turn
        self._left = port if port is not None and is_up() else None
        self._wish: Wish | None = None
        self._doing: Wish | None = None
        self._rules = self._tunnel = ""
        self._is_read = self._is_torn = False
        self._soon, self._newer = asyncio.Event(), asyncio.Event()
        self._looks = 0
        self._look: asyncio.TimerHandle | None = None
        self._losses: deque[float] = deque(maxlen=8)
        self._works = False
        self._task: asyncio.Task[None] | None = None

    @property
    def takes(self) -> int | None:
        """The port at which packets of the siblings are taken; None where they are not.

        The kernel takes them over a restart, so a process says it from its first word: with "none",
        the siblings would answer by resets until it knew better.
        """
        return self._left if self.done is None else self.done.port

    @property
    def targets(self) -> dict[Address, str]:
        """Whom what is not known here goes to, by VIP: what holds now, and goes on. While rules are
        changed, they may be the old ones or the new, and others listen for what is said of them.
        """
        if self.done is None:
            return {}
        found = set(self.done.targets)
        for other in (self._doing, self._wish):
            if other is not None:
                found &= set(other.targets)
        return dict(found)

    def want(self, wish: Wish) -> None:
        """Have this from now on."""
        if wish != self._wish:
            self._wish = wish
            self._soon.set()
            self._newer.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, *, remove_all: bool) -> None:
        """Stop; `remove_all`: leave nothing behind."""
        if self._task is None:
            return
        await end([self._task])
        if remove_all:
            await clear()

    async def _run(self) -> None:
        with Changes(self._noticed):
            while True:
                self._soon.clear()
                wait_s = COUNT_S
                self._works = True
                try:
                    await self._once()
                    self.problem = ""
                except (ProgramError, OSError) as error:
                    wait_s = RETRY_S
                    await self._failed(str(error), unclear=isinstance(error, ProgramUnclearError))
                except Exception as error:  # a fault of ours must not end it for good
                    wait_s = RETRY_S
                    log.exception("handover_failed")
                    await self._failed(type(error).__name__, unclear=False)
                self._works = False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._soon.wait()

    def _noticed(self) -> None:
        """Look soon: somebody has changed rules. While this works, it is this."""
        if not self._works and self.done is not None and self._look is None:
            loop = asyncio.get_running_loop()
            lately = sum(loop.time() - at < LATELY_S for at in self._losses)
            self._look = loop.call_later(BETWEEN_S * 2**lately, self._look_now)

    def _look_now(self) -> None:
        self._look = None
        self._soon.set()

    async def _failed(self, problem: str, *, unclear: bool) -> None:
        """Say it, and that what was there holds as long as it is there: rules are replaced at once
        or not at all, so those that were refused leave the former ones in force.
        """
        self._left = None
        # Said first: what cleans up may hang as well, and a start waits for it no longer.
        if problem != self.problem:
            self.problem = problem
            log.error("handover_failed", problem=problem)
        if self._is_torn or not is_up():
            self.done = None
        if self.done is not None and unclear:
            return
        # A tunnel without its rules takes from anybody: there is none then. With rules it stays:
        # without them, what is passed on would be reset.
        async with self._turn:
            with contextlib.suppress(ProgramUnclearError):
                if await seen_rules() is None:
                    self.done = None
                    await clear()

    async def _once(self) -> None:
        """Do what is wished before anything is read: reading takes several programs, and packets
        of connections do not wait for it."""
        if self._wish is None:
            return
        self._newer.clear()
        lost = ""
        if self._wish == self.done and self._is_read:
            lost = await self._unless_newer(self._missing()) or ""
            if self._wish == self.done and not lost:
                return
        elif self.done is not None and not is_up():
            lost = LOST_DEVICE
        async with self._turn:
            self._newer.clear()
            wish = self._wish  # it may be another by now, and the one before is over
            # What was begun, and did not end in order, may be done or not.
            if wish != self.done or lost or self._doing is not None:
                await self._make(wish, anew=bool(lost))
        if lost:
            self._losses.append(asyncio.get_running_loop().time())
            log.warning("handover_removed", what=lost, remedy="all of it was made again")
            self._lost(lost)
        await self._unless_newer(self._read())

    async def _make(self, wish: Wish, *, anew: bool) -> None:
        done, is_rest = self.done, self._doing is not None
        self._doing, self._is_read = wish, False
        if anew or done is None or wish.ends != done.ends:
            self._is_torn = True
            await _anew(wish)
            self._is_torn = False
        else:
            if is_rest or wish.tunnel != done.tunnel or _versions(wish) != _versions(done):
                await _connect(wish)
            await run("nft", "-f", "-", lines=ruleset(wish))
        self.counted.begun_again()
        self.done, self._doing, self._left = wish, None, None

    async def _unless_newer(self, reading: Coroutine[None, None, str]) -> str | None:
        """Return what was read; None where something else was wished meanwhile, which ends it."""
        loop = asyncio.get_running_loop()
        task, newer = loop.create_task(reading), loop.create_task(self._newer.wait())
        try:
            await asyncio.wait((task, newer), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            await end([task, newer])

    async def _read(self) -> str:
        """Note how what was made looks, and return that."""
        async with self._turn:
            rules = await seen_rules()
        tunnel = await seen_tunnel()
        self._rules, self._tunnel = "" if rules is None else rules.digest, tunnel
        self._is_read = True
        return self._rules

    async def _missing(self) -> str:
        """Read the counters; return what somebody has removed or changed, "" for nothing."""
        async with self._turn:
            rules = await seen_rules()
        if rules is not None:
            self.counted.take(rules.counters, time.time())
        if rules is None or rules.digest != self._rules:
            return "its rules"
        self._looks += 1
        if self._looks % TUNNEL_EACH and is_up():
            return ""
        if self.done is not None:
            self.listeners = await listeners_at(self.done.vips)
        return "" if await seen_tunnel() == self._tunnel else LOST_DEVICE


async def clear() -> None:
    """Remove what this process or one before it has left; what is not there is not missed."""
    with contextlib.suppress(ProgramError):
        await run("ip", "-batch", "-", lines=_lines(remove()))
    with contextlib.suppress(ProgramError):
        await run("nft", "-f", "-", lines=no_rules())


async def _anew(wish: Wish) -> None:
    """Make the rules before anything can come through the tunnel."""
    with contextlib.suppress(ProgramError):
        await run("ip", "-batch", "-", lines=_lines(remove()))
    await run("ip", "-batch", "-", lines=_lines(make(wish)))
    await run("nft", "-f", "-", lines=ruleset(wish))
    await run("ip", "-batch", "-", lines=_lines(open_it()))
    await _connect(wish)


async def _connect(wish: Wish) -> None:
    lines = connect(wish, _versions(wish))
    if lines:
        await run("ip", "-batch", "-", lines=_lines(lines))
        await run("bridge", "-batch", "-", lines=_lines(forward(wish)))
    loosen(DEVICE)


def _versions(wish: Wish) -> set[int]:
    return {one.version for one in wish.vips}


def _lines(commands: list[str]) -> str:
    return "".join(f"{one}\n" for one in commands)
