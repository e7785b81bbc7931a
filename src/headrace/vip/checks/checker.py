"""Checks each VIP once in an interval, each on its own: one that hangs holds up no other.

What is this process's own fault is said of no VIP: a check that met a time in which this process
did not run has no result.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from headrace.vip.checks.judged import Check, Judged, judge_answer, judge_error
from headrace.vip.checks.request import BadAnswer, CheckConnection
from headrace.vip.ending import end
from headrace.vip.plan.health import Found
from headrace.vip.plan.model import Address

STALL_S = 0.1
WATCH_S = 0.02

log = structlog.get_logger("headrace.vip")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, how long, for how long a connection is kept, and whose certificates are good: see
    `[checking]`.
    """

    interval_s: float
    timeout_s: float
    connection_s: float
    context: ssl.SSLContext


OnResult = Callable[[Address, Judged], None]
"""Takes a VIP and what a check of it says."""


@dataclass(slots=True)
class Counts:
    """What checks came to, how long the last ones took, and how late this process ran."""

    found: Counter[Found] = field(default_factory=Counter)
    unmade: int = 0
    last_s: float = 0.0
    slowest_s: float = 0.0
    late_s: float = 0.0


class Checker:
    """Checks the VIPs that `want` names, by `checks` in turn, at `pace`: both may be replaced. With
    `keeps`, connections are kept for the next checks.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        pace: Pace,
        on_result: OnResult,
    ) -> None:
        self.counts = Counts()
        self.checks = tuple(checks)
        self.keeps = True
        self.pace = pace
        self._on_result = on_result
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._stalled_s = float("-inf")
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._watch = asyncio.get_running_loop().create_task(self._watch_own())

    def want(self, addresses: Sequence[Address]) -> None:
        """Check these from now on, and no others."""
        for one in set(self._tasks) - set(addresses):
            self._tasks.pop(one).cancel()
        loop = asyncio.get_running_loop()
        missing = [one for one in addresses if one not in self._tasks]
        for number, one in enumerate(missing):
            delay_s = self.pace.interval_s * number / len(missing)
            self._tasks[one] = loop.create_task(self._check_forever(one, delay_s))

    async def close(self) -> None:
        """Stop."""
        tasks = [*self._tasks.values(), *([] if self._watch is None else [self._watch])]
        await end(tasks)
        self._tasks = {}

    async def _watch_own(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wanted_s = loop.time() + WATCH_S
            await asyncio.sleep(WATCH_S)
            late_s = loop.time() - wanted_s
            self.counts.late_s = max(late_s, self.counts.late_s * 0.99)
            if late_s > STALL_S:
                self._stalled_s = loop.time()

    async def _check_forever(self, address: Address, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(delay_s)
        turn, connection, until_s = 0, None, 0.0
        try:
            while True:
                began_s = loop.time()
                check = self.checks[turn % len(self.checks)]
                turn += 1
                if connection is not None and not (
                    began_s < until_s and connection.is_open and self.keeps
                ):
                    connection.close()
                    connection = None
                if connection is None:
                    until_s = began_s + self.pace.connection_s
                connection, judged = await self._once(address, check, connection)
                took_s = loop.time() - began_s
                self._take(address, judged, began_s, took_s)
                await asyncio.sleep(max(0.0, self.pace.interval_s - took_s))
        finally:
            if connection is not None:
                connection.close()

    def _take(self, address: Address, judged: Judged, began_s: float, took_s: float) -> None:
        loop = asyncio.get_running_loop()
        late = loop.time() - began_s > self.pace.timeout_s + STALL_S
        if judged.found is Found.DOUBTFUL and (late or self._stalled_s >= began_s):
            self.counts.unmade += 1
            return
        self.counts.found[judged.found] += 1
        self.counts.last_s = took_s
        self.counts.slowest_s = max(took_s, self.counts.slowest_s * 0.999)
        self._on_result(address, judged)

    async def _once(
        self, address: Address, check: Check, kept: CheckConnection | None
    ) -> tuple[CheckConnection | None, Judged]:
        """Return the connection where it can be used again, and what the check says."""
        connection = kept
        try:
            async with asyncio.timeout(self.pace.timeout_s):
                if connection is not None:
                    # It may have been closed just now, as connections are that idle or drain.
                    with contextlib.suppress(ConnectionError, BadAnswer):
                        answer = await connection.ask(check)
                        return self._after(connection), judge_answer(check, answer)
                    connection.close()
                connection = await CheckConnection.open(
                    address, check, self.pace.context, here=True
                )
                answer = await connection.ask(check)
                return self._after(connection), judge_answer(check, answer)
        except (OSError, BadAnswer) as error:
            if connection is not None:
                connection.close()
            return None, judge_error(check, error)
        except Exception as error:  # a fault of ours must not end the checks
            log.exception("check_failed", vip=str(address))
            if connection is not None:
                connection.close()
            return None, judge_error(check, error)
        except asyncio.CancelledError:
            if connection is not None:
                connection.close()
            raise

    def _after(self, connection: CheckConnection) -> CheckConnection | None:
        if connection.kept and self.keeps and self.pace.connection_s > 0:
            return connection
        connection.close()
        return None
