"""Keeps the addresses of VIPs bound: those that are wanted, and none besides that it bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

from headrace.vip.addresses.changes import Changes, changes
from headrace.vip.addresses.ip_program import AddressError, carry_out, present
from headrace.vip.ending import end
from headrace.vip.plan.model import Address

AGAIN_S = 30.0
"""Addresses are compared with what is wanted once in so long, and when a check misses one."""
RETRY_S = 1.0

log = structlog.get_logger("headrace.vip")

Note = Callable[[frozenset[Address]], Awaitable[None]]
"""Writes down which addresses are this process's own; on the disk when it returns. Raises OSError.
"""


class Bound:
    """The addresses that this process binds on one interface. `problem` says what is wrong."""

    def __init__(self, interface: str, own: Collection[Address], note: Note) -> None:
        self.problem = ""
        self.own = frozenset(own)
        self._interface = interface
        self._note = note
        self._wanted: tuple[Address, ...] = ()
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to bind what is wanted."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def want(self, addresses: tuple[Address, ...]) -> None:
        """Bind these from now on, and remove what else was bound."""
        if addresses != self._wanted:
            self._wanted = addresses
            self._soon.set()

    def missed(self) -> None:
        """Note that an address is not there: somebody may have removed it."""
        self._soon.set()

    async def close(self, *, remove: bool) -> None:
        """Stop; `remove`: remove everything that was bound."""
        if self._task is not None:
            await end([self._task])
        if remove:
            self._wanted = ()
            try:
                await self._once()
            except (AddressError, OSError) as error:
                log.error("addresses_not_removed", problem=str(error))

    async def _run(self) -> None:
        while True:
            self._soon.clear()
            try:
                await self._once()
            except (AddressError, OSError) as error:
                if str(error) != self.problem:
                    self.problem = str(error)
                    log.error("addresses_not_bound", problem=self.problem)
                await asyncio.sleep(RETRY_S)
                continue
            self.problem = ""
            try:
                async with asyncio.timeout(AGAIN_S):
                    await self._soon.wait()
            except TimeoutError:
                continue

    async def _once(self) -> None:
        wanted: Changes = changes(self._wanted, await present(), self.own)
        if wanted.own != self.own:
            await self._note(wanted.own | self.own)
        if wanted.anything:
            try:
                await carry_out(self._interface, wanted)
            finally:
                self.own = wanted.own | frozenset(wanted.remove)
            log.info(
                "addresses_changed",
                bound=[str(one) for one in wanted.add],
                removed=[str(one) for one in wanted.remove],
            )
        self.own = wanted.own
        await self._note(self.own)
