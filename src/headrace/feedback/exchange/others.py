"""Hears the other observers: each is asked again and again for its newest document, and what came
last of each is kept, with the moment it came.

One that is gone, hangs or tells nonsense is heard no more, and that is all it does. One that tells
something new all the time is asked no more often for it, and less often the longer that takes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import structlog

from headrace.config.feedback.observing import ObserverTable
from headrace.feedback.exchange.document import (
    LARGEST_BYTES,
    Document,
    DocumentError,
    decode_document,
)
from headrace.feedback.exchange.lists import list_digest
from headrace.node.network.signed import Secrets
from headrace.node.network.signed_client import NoAnswer, SignedClient

PAUSE_S = 0.05
"""Between two documents of one observer at least: more than 20 a second are of no use."""
PAUSES_PER_READING = 4.0
"""How many times longer than the reading of a document the pause after it is."""
FIRST_WAIT_S = 0.1
FAULT_WAIT_S = 5.0
ANSWER_S = 1.0
"""What an answer may take beyond the time for which the question may be kept."""

log = structlog.get_logger("headrace.feedback")


@dataclass(frozen=True, slots=True)
class Received:
    """A document, and when it came, by the loop's clock."""

    document: Document
    at_s: float

    def clock_off_s(self, now_s: float, clock: float) -> float:
        """Return by how much the clock of whoever decided this is ahead of ours. Its views look old
        here, or as from the future, where that is much.
        """
        decision = self.document.decision
        return 0.0 if decision is None else decision.now + now_s - self.at_s - clock


class Others:
    """What was heard. `heard` is called after every document; `refused` counts by kind;
    `network` is the name of the one that is observed.
    """

    def __init__(
        self,
        own: str,
        observers: Sequence[ObserverTable],
        secrets: Callable[[], Secrets],
        tick_s: float,
        heard: Callable[[Document | None, Document], None],
        ca: Path | None = None,
    ) -> None:
        self.received: dict[str, Received] = {}
        self.refused: Counter[str] = Counter()
        self.problems: dict[str, str] = {}
        self.network = ""
        self._unbelieved: set[str] = set()
        self._logged: set[tuple[str, str]] = set()
        self._own = own
        self._list = list_digest([one.node_id for one in observers])
        self._observers = [one for one in observers if one.node_id != own]
        self._secrets = secrets
        self._tick_s = tick_s
        self._heard = heard
        self._ca = ca

    async def run(self) -> None:
        """Ask until it is cancelled."""
        client = await self._client()
        try:
            await asyncio.gather(*(self._follow(client, one) for one in self._observers))
        finally:
            await client.close()

    async def _client(self) -> SignedClient:
        """Return what asks; wait for a file of authorities that cannot be used now."""
        while True:
            try:
                return SignedClient.open(LARGEST_BYTES, self._ca, "observers_secret_file")
            except OSError as error:
                log.error("observers_not_heard", source=str(self._ca), problem=str(error))
                await asyncio.sleep(FAULT_WAIT_S)

    async def _follow(self, client: SignedClient, other: ObserverTable) -> None:
        name, wait_s = other.node_id, FIRST_WAIT_S
        while True:
            try:
                reading_s = await self._once(client, other)
            except (NoAnswer, DocumentError) as error:
                kind = error.kind if isinstance(error, NoAnswer) else "malformed"
                self._note(name, kind, str(error))
            except Exception as error:  # a fault of ours must not make us deaf
                log.exception("observer_not_heard", observer=name)
                self._note(name, "fault", str(error))
            else:
                if self.problems.pop(name, None) is not None:
                    log.info("observer_heard_again", observer=name)
                    self._logged = {one for one in self._logged if one[0] != name}
                wait_s = FIRST_WAIT_S
                await asyncio.sleep(max(PAUSE_S, reading_s * PAUSES_PER_READING))
                continue
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, self._tick_s)

    def note_unbelieved_orders(self, name: str) -> None:
        """Count that an observer tells of orders with sequences that cannot be; log it once."""
        self.refused["orders"] += 1
        if name not in self._unbelieved:
            self._unbelieved.add(name)
            log.error("orders_refused", observer=name, found="a sequence larger than any can be")

    def _note(self, name: str, kind: str, problem: str) -> None:
        self.refused[kind] += 1
        if (name, kind) not in self._logged:  # each kind once, until it is heard again
            self._logged.add((name, kind))
            log.warning("observer_not_heard", observer=name, kind=kind, problem=problem)
        self.problems[name] = problem

    async def _once(self, client: SignedClient, other: ObserverTable) -> float:
        """Ask once; return how long the document took to read. Raises NoAnswer or DocumentError."""
        known = self.received.get(other.node_id)
        after = -1 if known is None else known.document.number
        own = f"from={quote(self._own, safe='')}&list={self._list}"
        target = f"/v1/observer?{own}&after={after}"
        data = await client.ask(other.url, target, self._secrets(), self._tick_s + ANSWER_S)
        if data is None:
            raise NoAnswer("empty", f"{other.url} answered nothing")
        began_s = time.perf_counter()
        document = decode_document(data, other.node_id, self.network)
        self.received[other.node_id] = Received(document, asyncio.get_running_loop().time())
        self._heard(None if known is None else known.document, document)
        return time.perf_counter() - began_s
