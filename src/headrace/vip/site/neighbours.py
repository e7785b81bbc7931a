"""Asks the other servers of the site, at their own addresses, whether they serve and what they
announce: nobody leaves a VIP that it does not know another server to have.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address

import structlog

from headrace.node.network.signed import Secrets
from headrace.node.network.signed_client import NoAnswer, SignedClient
from headrace.topology.announced_document import (
    LARGEST_BYTES,
    PATH,
    Approved,
    SaidError,
    decode_said,
)
from headrace.topology.model import Server
from headrace.vip.announced import heard_of
from headrace.vip.checks.judged import Check, Judged, judge_answer, judge_error
from headrace.vip.checks.request import BadAnswer, CheckConnection
from headrace.vip.ending import end
from headrace.vip.events import Event
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Found, Soundness
from headrace.vip.plan.model import Address
from headrace.vip.rules import NoPortError

HURRY_S = 0.2

log = structlog.get_logger("headrace.vip")


@dataclass(frozen=True, slots=True)
class Asking:
    """How others are asked: see `[neighbours]`."""

    port: int
    interval_s: float
    timeout_s: float
    context: ssl.SSLContext


class Neighbours:
    """What is known of the other servers. `known` has them by name, at times of the clock that only
    counts on; `problems` why one cannot be relied on; `approved` what was approved there. `asking`
    and `check_of`, which returns what a server is asked for or raises NoPortError, may be replaced.
    While it `hurries`, they are asked more often than `[neighbours]` says. What changes is told.
    """

    def __init__(
        self,
        asking: Asking,
        check_of: Callable[[Server], Check],
        secrets: Callable[[], Secrets],
        tell: Callable[[Event], None],
    ) -> None:
        self.known: dict[str, Neighbour] = {}
        self.problems: dict[str, str] = {}
        self.approved: dict[str, tuple[Approved, ...]] = {}
        self.asking = asking
        self.check_of = check_of
        self.hurries = False
        self._secrets = secrets
        self._tell = tell
        self._servers: dict[str, Server] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked_now: set[str] = set()
        self._client: SignedClient | None = None

    def want(self, servers: Iterable[Server]) -> None:
        """Ask these from now on, and no others."""
        self._servers = {one.name: one for one in servers}
        self._asked_now &= self._servers.keys()
        for name in set(self._tasks) - set(self._servers):
            self._tasks.pop(name).cancel()
            self.known.pop(name, None)
            self.problems.pop(name, None)
            self.approved.pop(name, None)
        loop = asyncio.get_running_loop()
        if self._client is None:
            self._client = SignedClient.open(LARGEST_BYTES)
        missing = [name for name in self._servers if name not in self._tasks]
        for number, name in enumerate(missing):
            delay_s = self.asking.interval_s * number / len(missing)
            self._tasks[name] = loop.create_task(self._ask_forever(name, delay_s))

    def ask_again(self) -> None:
        """Ask all now: a line of this machine went down, or is up again."""
        for name in self._servers:
            self._ask_now(name)

    def asked_by(self, address: str) -> None:
        """Ask the server with this address now if it did not answer lately: it has just asked, so
        it is there again.
        """
        try:
            asker = ip_address(address)
        except ValueError:
            return
        if asker.version == 6 and asker.ipv4_mapped is not None:
            asker = asker.ipv4_mapped
        for name, server in self._servers.items():
            known = self.known.get(name)
            if known is not None and asker in (*server.ipv4, *server.ipv6):
                heard_at = asyncio.get_running_loop().time()
                self.known[name] = replace(known, heard_at=heard_at)
                if known.soundness is Soundness.FAILED:
                    self._ask_now(name)

    def _ask_now(self, name: str) -> None:
        """Drop a question that is under way: it may wait for packets that a dead line has lost. Not
        twice: who is slow to answer is waited for."""
        if name in self._tasks and name not in self._asked_now:
            self._asked_now.add(name)
            self._tasks[name].cancel()
            task = self._ask_forever(name, 0.0)
            self._tasks[name] = asyncio.get_running_loop().create_task(task)

    def at(self, now: float) -> dict[str, Neighbour]:
        """Return what is known, at Unix times as they follow from the time now: a clock that is set
        makes nothing older or younger.
        """
        now_s = asyncio.get_running_loop().time()
        ahead_s = now - now_s
        return {
            name: replace(one, at=one.at + ahead_s, heard_at=one.heard_at + ahead_s)
            for name, one in self.known.items()
        }

    async def close(self) -> None:
        """Stop."""
        tasks, self._tasks = list(self._tasks.values()), {}  # so nobody is asked again
        await end(tasks)
        if self._client is not None:
            await self._client.close()

    async def _ask_forever(self, name: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        loop = asyncio.get_running_loop()
        while True:
            # What it says was so when it was asked at the latest.
            began_s = loop.time()
            try:
                found = await self._ask(self._servers[name], began_s)
            except Exception:  # a fault of ours must not end the questions to it
                log.exception("neighbour_not_asked", server=name)
                found = Neighbour(Soundness.UNKNOWN, began_s)
            before = self.known.get(name)
            problem = self.problems.get(name, "")
            for event in heard_of(name, before, found, problem, time.time()):
                self._tell(event)
            heard_at = found.heard_at if before is None else before.heard_at
            self.known[name] = replace(found, heard_at=heard_at)
            self._asked_now.discard(name)
            if found.soundness is not Soundness.SOUND:
                self.approved.pop(name, None)  # it cannot say that it is long ago
            pause_s = self.asking.interval_s
            if self.hurries:
                pause_s = min(pause_s, HURRY_S)
            await asyncio.sleep(max(0.0, pause_s - (loop.time() - began_s)))

    async def _ask(self, server: Server, at: float) -> Neighbour:
        address = _own_address(server)
        if address is None:
            self.problems[server.name] = "the description has no address of its own for it"
            return Neighbour(Soundness.UNKNOWN, at)
        try:
            check = self.check_of(server)
        except NoPortError as error:
            self.problems[server.name] = str(error)
            return Neighbour(Soundness.UNKNOWN, at)
        judged = await self._check_edge(address, check)
        if judged.found is not Found.PASSED:
            self.problems[server.name] = judged.why
            impaired = judged.found is Found.IMPAIRED
            return Neighbour(Soundness.DEGRADED if impaired else Soundness.FAILED, at)
        try:
            assert self._client is not None
            host = f"[{address}]" if address.version == 6 else str(address)
            base, within_s = f"http://{host}:{self.asking.port}", self.asking.timeout_s
            data = await self._client.ask(base, PATH, self._secrets(), within_s)
            said = decode_said(data or b"", server.name)
            announces, passes, worse = said.addresses, said.passes_to, said.worse_addresses
        except (NoAnswer, SaidError) as error:
            self.problems[server.name] = str(error)
            return Neighbour(Soundness.UNKNOWN, at)
        self.problems.pop(server.name, None)
        self.approved[server.name] = said.approved
        return Neighbour(
            *(Soundness.SOUND, at, said.leaving, announces, said.takes, passes, said.clients, worse)
        )

    async def _check_edge(self, address: Address, check: Check) -> Judged:
        connection = None
        try:
            async with asyncio.timeout(self.asking.timeout_s):
                connection = await CheckConnection.open(
                    address, check, self.asking.context, here=False
                )
                return judge_answer(check, await connection.ask(check))
        except (OSError, BadAnswer) as error:
            return judge_error(check, error)
        finally:
            if connection is not None:
                connection.close()


def _own_address(server: Server) -> Address | None:
    own: tuple[Address, ...] = (*server.ipv4, *server.ipv6)
    return own[0] if own else None
