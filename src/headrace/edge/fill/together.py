"""Small answers that came in one turn of the loop: stored in one transaction, then sent.

Who has an answer may ask again elsewhere, so it is in the store before it is sent; and a
transaction for each costs as much as all else of storing it. Nobody waits for others to come: what
waits is what the loop found at once, up to MOST and MOST_BYTES.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from headrace.cache.record import StoredResponse
from headrace.reasons import Reason
from headrace.store import Busy, Claim, Store, StoreError

log = structlog.get_logger()

MOST = 64
MOST_BYTES = 256 * 1024


class Arrived(Protocol):
    """A small answer that is there whole. `claim` is the permit to store it as `name`; None when it
    was broken off since.
    """

    @property
    def claim(self) -> Claim | None:
        """The permit to store it."""

    @property
    def name(self) -> bytes:
        """What a part for it is called."""

    @property
    def arrived(self) -> tuple[StoredResponse, bytes]:
        """The record of it, and its body."""

    def send(self) -> None:
        """Send it, stored or not, and give back whatever it has taken."""


class Together:
    """The answers that wait for the end of a turn."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: Store,
        on_trouble: Callable[[Exception], None],
    ) -> None:
        """`on_trouble` is told what the store could not do."""
        self._loop = loop
        self._store = store
        self._on_trouble = on_trouble
        self._waiting: list[Arrived] = []
        self._waiting_bytes = 0

    def add(self, arrived: Arrived) -> None:
        """Store and send this at the end of the turn, or now where many wait."""
        waiting = self._waiting
        if not waiting:
            self._loop.call_soon(self.flush)
        waiting.append(arrived)
        self._waiting_bytes += len(arrived.arrived[1])
        if len(waiting) >= MOST or self._waiting_bytes >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Store and send what waits. Never raises: one's fault is not another's."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        held = [each for each in waiting if each.claim is not None]
        try:
            if held:
                self._store_all(held)
        except Exception as error:
            log.error("answering_failed", exc_info=error)
        for each in waiting:
            try:
                each.send()
            except Exception as error:
                log.error("answering_failed", exc_info=error)

    def _store_all(self, held: list[Arrived]) -> None:
        """Store it, where nothing stands against that: the clients have their answers anyway."""
        try:
            done = self._store.store_together([each.arrived for each in held])
        except (StoreError, OSError) as error:
            self._on_trouble(error)
            return
        alone = [each for each, is_done in zip(held, done, strict=True) if not is_done]
        for each in alone:
            try:
                self._store_alone(each)
            except (StoreError, OSError) as error:
                self._on_trouble(error)

    def _store_alone(self, each: Arrived) -> None:
        stored, body = each.arrived
        part = self._store.begin_part(each.name, 0, each.claim)
        if isinstance(part, Busy):
            return
        try:
            part.hold(stored, memoryview(body))
            part.finish(stored, len(body))
        except (StoreError, OSError):
            part.fail(Reason.STORE_FAILED)
            raise
        finally:
            part.close()
