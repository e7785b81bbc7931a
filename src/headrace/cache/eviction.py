"""S3-FIFO eviction (Yang et al., SOSP 2023), weighted by bytes, as functions over queues that live
elsewhere: in LMDB for the store, in memory for `simulate` and `bench.eviction`. Why this policy:
docs/decisions/0004-eviction.md.
"""

from __future__ import annotations

import enum
from typing import Protocol, TypeVar

Entry = TypeVar("Entry")
"""What names an entry: a slice's key in the store."""


class Queue(enum.IntEnum):
    """Which queue an entry is in."""

    SMALL = 0
    MAIN = 1


class Queues(Protocol[Entry]):
    """The state S3-FIFO works on. The store keeps it in LMDB, the simulator in memory."""

    def push(self, queue: Queue, entry: Entry, size_bytes: int) -> None:
        """Add at the newest end."""

    def pop_oldest(self, queue: Queue) -> tuple[Entry, int] | None:
        """Remove and return (entry, size_bytes) at the oldest end, or None when empty."""

    def bytes_in(self, queue: Queue) -> int:
        """Return how many bytes a queue holds."""

    def hits(self, entry: Entry) -> int:
        """Return the hits since insertion or since the last set_hits, saturating at 3."""

    def set_hits(self, entry: Entry, hits: int) -> None:
        """Set the hits of an entry."""

    def ghost_add(self, entry: Entry, size_bytes: int) -> None:
        """Remember an entry evicted from SMALL; the ghost forgets its own oldest."""

    def ghost_take(self, entry: Entry) -> bool:
        """Return whether the ghost remembers this entry, and forget it."""


SMALL_SHARE = 0.1
MOVES_PER_EVICTION = 64
"""Entries moved between queues, or given another round, before one is evicted come what may."""


def ghost_bytes(capacity_bytes: int) -> int:
    """Return how many bytes of evicted entries the ghost remembers: as many as MAIN may hold."""
    return capacity_bytes - int(capacity_bytes * SMALL_SHARE)


def insert(queues: Queues[Entry], entry: Entry, size_bytes: int) -> None:
    """Add a new entry: to MAIN when the ghost remembers it, else to SMALL."""
    queues.set_hits(entry, 0)
    queue = Queue.MAIN if queues.ghost_take(entry) else Queue.SMALL
    queues.push(queue, entry, size_bytes)


def evict_one(queues: Queues[Entry], capacity_bytes: int) -> tuple[Entry, int] | None:
    """Choose a victim, take it out of its queue and return (entry, size); None when all is empty.

    The victim is of SMALL while SMALL holds more than its share of the capacity; what was hit more
    than once there moves to MAIN. In MAIN what was hit gets another round.
    """
    for _ in range(MOVES_PER_EVICTION):
        small_bytes = queues.bytes_in(Queue.SMALL)
        from_small = small_bytes > capacity_bytes * SMALL_SHARE or not queues.bytes_in(Queue.MAIN)
        if from_small:
            victim = _from_small(queues)
        else:
            victim = _from_main(queues)
        if victim is not None:
            return victim
    # All that was examined was wanted: a newcomer goes, for the ghost can bring it back.
    victim = queues.pop_oldest(Queue.SMALL)
    if victim is not None:
        queues.ghost_add(*victim)
        return victim
    return queues.pop_oldest(Queue.MAIN)


def _from_small(queues: Queues[Entry]) -> tuple[Entry, int] | None:
    found = queues.pop_oldest(Queue.SMALL)
    if found is None:
        return None
    entry, size_bytes = found
    if queues.hits(entry) > 1:
        queues.set_hits(entry, 0)
        queues.push(Queue.MAIN, entry, size_bytes)
        return None
    queues.ghost_add(entry, size_bytes)
    return found


def _from_main(queues: Queues[Entry]) -> tuple[Entry, int] | None:
    found = queues.pop_oldest(Queue.MAIN)
    if found is None:
        return None
    entry, size_bytes = found
    hits = queues.hits(entry)
    if hits > 0:
        queues.set_hits(entry, hits - 1)
        queues.push(Queue.MAIN, entry, size_bytes)
        return None
    return found
