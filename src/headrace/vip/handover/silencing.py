"""Has the kernel keep back what silent VIPs would send. What it has ends by itself with this
process, and what fails is said: then the server goes on as without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Collection
from ipaddress import ip_address

import msgspec
import structlog

from headrace.vip.ending import end
from headrace.vip.handover.programs import ProgramError, run
from headrace.vip.handover.silence_rules import TABLE, no_silence, silence_rules, silent_in
from headrace.vip.plan.model import Address

LASTS_S = 6
RENEW_S = 2.0
"""So a machine may be busy for some seconds, and a process that is killed or hangs stops nothing
for longer."""
MOST_DEVICES = 256
_NEEDS = "nftables' egress of devices, which Linux has since 5.16"

log = structlog.get_logger("headrace.vip")


class Silencing:
    """The silence of some VIPs. `broken` are those of them that the kernel has ended, as a packet
    came; `problem` says why there is none. `turn` is held while it works.
    """

    def __init__(self, turn: asyncio.Lock) -> None:
        self.problem = ""
        self.broken: frozenset[Address] = frozenset()
        self._turn = turn
        self._wanted: frozenset[Address] = frozenset()
        self._done: frozenset[Address] = frozenset()
        self._made_s: float | None = None
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def want(self, vips: frozenset[Address]) -> None:
        """Have these silent from now on, and no others."""
        if vips != self._wanted:
            self._wanted = vips
            self.broken &= vips
            self._soon.set()
        if vips and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop, and end all of it."""
        if self._task is not None:
            await end([self._task])
            await self._clear()

    async def clear_left(self) -> None:
        """End what a process before this one has made, unless this one has made some since."""
        if self._made_s is None:
            await self._clear()

    async def _clear(self) -> None:
        with contextlib.suppress(ProgramError):
            await run("nft", "-f", "-", lines=no_silence())

    async def _run(self) -> None:
        while True:
            self._soon.clear()
            try:
                async with self._turn:
                    await self._once()
                self.problem = ""
            except (ProgramError, msgspec.DecodeError, ValueError, OSError) as error:
                self._failed(str(error))
            except Exception as error:  # a fault of ours must not end it for good
                if type(error).__name__ != self.problem:
                    self.problem = type(error).__name__
                    log.exception("silence_failed", problem=self.problem)
            renews = bool(self._wanted) or self._made_s is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEW_S if renews else None):
                    await self._soon.wait()

    def _failed(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            log.error("silence_failed", problem=problem)

    async def _once(self) -> None:
        loop = asyncio.get_running_loop()
        if self._done and self._made_s is not None:
            left = await _left()
            # What nobody renewed for so long has ended by itself: no packet need have come.
            if left is not None and loop.time() - self._made_s < LASTS_S:
                self.broken |= (self._done - left) & self._wanted
        silent = self._wanted - self.broken
        if silent:
            # Noted before: a program that did not end in time may have made them.
            self._made_s, self._done = loop.time(), frozenset()
            rules = silence_rules(silent, _devices(), LASTS_S)
            await run("nft", "-f", "-", lines=rules, needs=_NEEDS)
        elif self._made_s is not None:
            await run("nft", "-f", "-", lines=no_silence())
            self._made_s = None
        self._done = silent


async def _left() -> frozenset[Address] | None:
    """Return the VIPs that are silent yet; None where somebody removed the rules."""
    try:
        listed = await run("nft", "-j", "list", "table", "netdev", TABLE)
    except ProgramError:
        return None
    return frozenset(ip_address(one) for one in silent_in(listed))


def _devices() -> Collection[str]:
    """Return all but the machine itself: a VIP's packets leave by any."""
    names = [name for _index, name in socket.if_nameindex() if name != "lo" and '"' not in name]
    return names[:MOST_DEVICES]
