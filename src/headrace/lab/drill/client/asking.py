"""Everything that a client does, each thing at its time, and within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from headrace.lab.assets import crowd_path
from headrace.lab.drill.client.attempt import attempt, request_bytes
from headrace.lab.drill.client.download import download
from headrace.lab.drill.client.questions import by_dns, by_http
from headrace.lab.drill.client.secured import Sessions
from headrace.lab.drill.records import (
    MOST_ATTEMPTS,
    Answer,
    Asked,
    Attempt,
    Download,
    Named,
    Orders,
    Record,
    Target,
)

MOST_OPEN = 1500
LATEST_S = 1.0
"""What is later than that is not begun: it would make all that follows late as well."""
_ENDS_S = 0.05
_UNBEGUN_S = 0.05
_PATHS = 12
"""So many objects, which stand on different servers, are asked for of request routers."""


@dataclass(slots=True)
class _Held:
    places: list[str]
    since_s: float


class Client:
    """One client. `stop` ends it before its time."""

    def __init__(self, orders: Orders) -> None:
        self.record = Record(orders.name)
        self._orders = orders
        self._open: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._sessions = Sessions(orders.ca, orders.name) if orders.ca else None

    def stop(self) -> None:
        """Begin nothing new, and end."""
        self._stop.set()

    async def run(self) -> Record:
        """Ask until the time is over, and return what was seen."""
        orders = self._orders
        small = request_bytes(orders.name, orders.small.path)
        rows = [self._row(one, small) for one in orders.targets]
        rows += [self._questions(one) for one in orders.asked]
        rows += [self._by_name(orders.named, small)] if orders.named is not None else []
        loops = [asyncio.create_task(row) for row in rows]
        downloads = [asyncio.create_task(self._downloads(one)) for one in orders.downloads]
        try:
            async with asyncio.timeout(max(0.0, orders.until_s - time.monotonic())):
                await self._stop.wait()
        except TimeoutError:
            pass
        for task in (*loops, *downloads):
            task.cancel()
        await asyncio.gather(*loops, *downloads, return_exceptions=True)
        if self._open:
            await asyncio.wait(self._open, timeout=orders.patience_s + _ENDS_S)
        self._raise_of([*loops, *downloads])
        self.record.attempts.sort(key=lambda one: one.planned_s)
        return self.record

    def _raise_of(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _every(
        self,
        first_s: float,
        every_s: float,
        what: Callable[[float], Coroutine[None, None, None]],
        unbegun: Callable[[float], None] = lambda _planned_s: None,
    ) -> None:
        """Begin something at each time, whether or not what began before has ended. Times that
        have passed already are taken one after another: none is left out, and each says how late
        it was. `unbegun` is told of the one that was due when all of it ended.
        """
        loop = asyncio.get_running_loop()
        planned_s = first_s
        try:
            while True:
                await asyncio.sleep(max(0.0, planned_s - time.monotonic()))
                task = loop.create_task(what(planned_s))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
                planned_s += every_s
        finally:
            if planned_s < time.monotonic() - _UNBEGUN_S:
                unbegun(planned_s)

    async def _row(self, target: Target, request: bytes) -> None:
        await self._ask(target.host, lambda _now_s: target.host, target, request)

    async def _by_name(self, named: Named, request: bytes) -> None:
        """Ask at an address that DNS gave last, once it has given any."""
        answers = self.record.answers
        held = _Held([], float("-inf"))

        def address(now_s: float) -> str:
            if now_s - held.since_s >= named.hold_s or not held.places:
                given = next((one for one in reversed(answers) if one.kind == "dns"), None)
                # One that got no answer keeps what it had.
                if given is not None and given.places:
                    held.places, held.since_s = given.places, now_s
            return held.places[0] if held.places else ""

        target = Target(self._orders.name, named.port, named.every_s)
        await self._ask(target.host, address, target, request)

    async def _ask(
        self, name: str, address: Callable[[float], str], target: Target, request: bytes
    ) -> None:
        """Ask again and again at what `address` says at each time, and note it as `name`."""
        orders, note = self._orders, self.record.attempts

        async def once(planned_s: float) -> None:
            began_s = time.monotonic()
            if len(note) >= MOST_ATTEMPTS:
                return
            if len(self._open) > MOST_OPEN or began_s - planned_s > LATEST_S:
                note.append(Attempt(name, planned_s, began_s, began_s, "refrained"))
                return
            if not (host := address(began_s)):
                return
            secured = self._sessions.begin(host) if self._sessions and target.secure else None
            came = await attempt(
                host, target.port, request, orders.small, orders.patience_s, secured
            )
            if self._sessions is not None and secured is not None and came.outcome == "ok":
                self._sessions.keep(host, secured)
            resumed = secured.resumed if secured is not None else None
            ended_s = time.monotonic()
            found = (came.outcome, came.server, resumed, came.reached)
            note.append(Attempt(name, planned_s, began_s, ended_s, *found))

        def unbegun(planned_s: float) -> None:
            # A client that stood still until the end is late too, though it asked nothing.
            now_s = time.monotonic()
            note.append(Attempt(name, planned_s, now_s, now_s, "refrained"))

        await self._every(orders.from_s + target.phase_s, target.every_s, once, unbegun)

    async def _questions(self, asked: Asked) -> None:
        orders = self._orders
        host, port, wait_s = asked.host, asked.port, orders.patience_s

        async def once(planned_s: float) -> None:
            began_s = time.monotonic()
            if len(self.record.answers) >= MOST_ATTEMPTS or began_s - planned_s > LATEST_S:
                return
            if asked.kind == "dns":
                places = await by_dns(host, port, orders.name, wait_s)
            else:
                path = crowd_path(len(self.record.answers) % _PATHS)
                places = await by_http(host, port, orders.name, path, wait_s)
            self.record.answers.append(Answer(asked.kind, began_s, places))

        await self._every(orders.from_s, asked.every_s, once)

    async def _downloads(self, target: Target) -> None:
        """Download one after another. The last of them is left when the time is over."""
        orders = self._orders
        await asyncio.sleep(max(0.0, orders.from_s + target.phase_s - time.monotonic()))
        while True:
            one: Download = await download(
                target.host, target.port, orders.name, orders.long, orders.download_s
            )
            self.record.downloads.append(one)
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                return
            if one.outcome != "ok":
                await asyncio.sleep(target.every_s)
