"""The store of a simulated server: what it holds, by the eviction that edges run, in memory.

Entries are numbers. Other policies are there to be compared with; edges have none of them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Protocol

from headrace.cache import eviction
from headrace.cache.eviction import Queue

MOST_HITS = 3


class Store(Protocol):
    """What a server holds. `held` has its entries, to be looked into directly; `born` has when
    those that grow stale were made at the origin.
    """

    held: dict[int, int]
    born: dict[int, float]
    used_bytes: int
    evictions: int

    def touch(self, entry: int) -> None:
        """Count a hit of an entry that is held."""

    def insert(self, entry: int, size_bytes: int) -> None:
        """Add an entry that is not held, and make room for it before."""

    def clear(self) -> None:
        """Lose everything."""


class MemoryQueues:
    """`cache.eviction.Queues` in memory. `held` has the hits of each entry that is held."""

    __slots__ = ("_capacity_bytes", "_ghost", "_ghost_bytes", "_queues", "_used", "held")

    def __init__(self, capacity_bytes: int) -> None:
        self.held: dict[int, int] = {}
        self._queues: tuple[deque[tuple[int, int]], deque[tuple[int, int]]] = (deque(), deque())
        self._used = [0, 0]
        self._ghost: OrderedDict[int, int] = OrderedDict()
        self._ghost_bytes = 0
        self._capacity_bytes = capacity_bytes

    def push(self, queue: Queue, entry: int, size_bytes: int) -> None:
        """Add at the newest end."""
        self._queues[queue].append((entry, size_bytes))
        self._used[queue] += size_bytes

    def pop_oldest(self, queue: Queue) -> tuple[int, int] | None:
        """Remove and return (entry, size_bytes) at the oldest end, or None when empty."""
        if not self._queues[queue]:
            return None
        found = self._queues[queue].popleft()
        self._used[queue] -= found[1]
        return found

    def bytes_in(self, queue: Queue) -> int:
        """Return how many bytes a queue holds."""
        return self._used[queue]

    def hits(self, entry: int) -> int:
        """Return the hits of an entry."""
        return self.held[entry]

    def set_hits(self, entry: int, hits: int) -> None:
        """Set the hits of an entry."""
        self.held[entry] = hits

    def ghost_add(self, entry: int, size_bytes: int) -> None:
        """Remember an evicted entry; as the store does, as many bytes as it has room for."""
        self.ghost_take(entry)
        self._ghost[entry] = size_bytes
        self._ghost_bytes += size_bytes
        while self._ghost_bytes > self._capacity_bytes:
            self._ghost_bytes -= self._ghost.popitem(last=False)[1]

    def ghost_take(self, entry: int) -> bool:
        """Return whether an evicted entry is remembered, and forget it."""
        size_bytes = self._ghost.pop(entry, None)
        if size_bytes is None:
            return False
        self._ghost_bytes -= size_bytes
        return True


class S3FifoStore:
    """As edges have it: room is made first, by `cache.eviction`, then the entry is inserted."""

    __slots__ = ("_queues", "born", "capacity_bytes", "evictions", "held", "used_bytes")

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.evictions = 0
        self.clear()

    def clear(self) -> None:
        """Lose everything."""
        self._queues = MemoryQueues(self.capacity_bytes)
        self.held = self._queues.held
        self.born: dict[int, float] = {}
        self.used_bytes = 0

    def touch(self, entry: int) -> None:
        """Count a hit of an entry that is held."""
        hits = self.held[entry]
        if hits < MOST_HITS:
            self.held[entry] = hits + 1

    def insert(self, entry: int, size_bytes: int) -> None:
        """Add an entry; one of more than half the store is refused, as the store does."""
        if size_bytes > self.capacity_bytes // 2:
            return
        while self.used_bytes + size_bytes > self.capacity_bytes:
            victim = eviction.evict_one(self._queues, self.capacity_bytes)
            if victim is None:
                return
            del self.held[victim[0]]
            self.born.pop(victim[0], None)
            self.used_bytes -= victim[1]
            self.evictions += 1
        eviction.insert(self._queues, entry, size_bytes)
        self.used_bytes += size_bytes


class OrderedStore:
    """The least recently used leaves first (`renews`), or the oldest."""

    __slots__ = ("_renews", "_sizes", "born", "capacity_bytes", "evictions", "held", "used_bytes")

    def __init__(self, capacity_bytes: int, *, renews: bool) -> None:
        self.capacity_bytes = capacity_bytes
        self.evictions = 0
        self._renews = renews
        self.clear()

    def clear(self) -> None:
        """Lose everything."""
        self._sizes: OrderedDict[int, int] = OrderedDict()
        self.held: dict[int, int] = self._sizes
        self.born: dict[int, float] = {}
        self.used_bytes = 0

    def touch(self, entry: int) -> None:
        """Count a hit of an entry that is held."""
        if self._renews:
            self._sizes.move_to_end(entry)

    def insert(self, entry: int, size_bytes: int) -> None:
        """Add an entry that is not held."""
        if size_bytes > self.capacity_bytes // 2:
            return
        while self.used_bytes + size_bytes > self.capacity_bytes:
            victim, freed_bytes = self._sizes.popitem(last=False)
            self.born.pop(victim, None)
            self.used_bytes -= freed_bytes
            self.evictions += 1
        self._sizes[entry] = size_bytes
        self.used_bytes += size_bytes


def make_store(policy: str, capacity_bytes: int) -> Store:
    """Return an empty store with a policy, as a scenario names it."""
    if policy == "s3-fifo":
        return S3FifoStore(capacity_bytes)
    return OrderedStore(capacity_bytes, renews=policy == "lru")
