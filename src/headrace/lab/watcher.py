"""Watches the demo's servers, and writes down which of them cannot be used.

It stands in for a feedback loop: a server that does not answer twice in a row has failed, and one
that answers again is back. What it counts of each server is for the page.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from headrace.lab.plan import Plan, PlannedServer
from headrace.topology.view import ServerState, ServerView, View

EVERY_S = 0.5
ANSWER_WITHIN_S = 0.4
FAILS = 2


@dataclass(slots=True)
class Seen:
    """What was seen of a server: how often in a row it did not answer, and its counts."""

    missed: int = 0
    failed: bool = False
    requests: dict[str, float] = field(default_factory=dict)


class Watcher:
    """Asks every server twice a second. `write` gets each new view."""

    def __init__(self, plan: Plan, token: str, write: Callable[[View], None]) -> None:
        self.seen = {server.name: Seen() for server in plan.servers}
        self.changes: list[str] = []
        self._plan = plan
        self._headers = {"Authorization": f"Bearer {token}"}
        self._write = write
        self._version = 0

    async def run(self, now: Callable[[], float]) -> None:
        """Watch until cancelled."""
        self.publish(now())
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session:
            while True:
                answers = await asyncio.gather(
                    *(self._ask(session, server) for server in self._plan.servers)
                )
                changed = [
                    self._note(server.name, counts)
                    for server, counts in zip(self._plan.servers, answers, strict=True)
                ]
                if any(changed):
                    self.publish(now())
                await asyncio.sleep(EVERY_S)

    def publish(self, now: float) -> None:
        """Write down what is known."""
        self._version += 1
        servers = {
            name: ServerView(ServerState.FAILED) for name, seen in self.seen.items() if seen.failed
        }
        self._write(View(version=self._version, made_at=now, servers=servers))

    async def _ask(
        self, session: aiohttp.ClientSession, server: PlannedServer
    ) -> dict[str, float] | None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
            async with session.get(f"{server.admin.url}/stats") as response:
                stats = await response.json()
                if response.status == 200 and stats["ready"]:
                    requests: dict[str, float] = stats["counts"]["requests"]
                    return requests
        return None

    def _note(self, name: str, counts: dict[str, float] | None) -> bool:
        """Take account of an answer; return whether the server failed, or came back, by it."""
        seen = self.seen[name]
        before = seen.failed
        if counts is None:
            seen.missed += 1
            seen.failed = seen.missed >= FAILS or before
        else:
            seen.missed, seen.failed, seen.requests = 0, False, counts
        if seen.failed != before:
            self.changes.append(f"{name} {'failed' if seen.failed else 'is back'}")
            del self.changes[:-20]
        return seen.failed != before
