"""S3-FIFO as the store runs it: `headrace.cache.eviction` itself, over queues in memory."""

from __future__ import annotations

from collections import OrderedDict

from headrace.cache import eviction
from headrace.cache.eviction import Queue

MAX_HITS = 3


class MemoryQueues:
    """`headrace.cache.eviction.Queues` in dictionaries. Forgets an entry's hits when told to."""

    def __init__(self, ghost_capacity_bytes: int) -> None:
        self.queues: dict[Queue, OrderedDict[bytes, int]] = {
            Queue.SMALL: OrderedDict(),
            Queue.MAIN: OrderedDict(),
        }
        self.ghost: OrderedDict[bytes, int] = OrderedDict()
        self.ghost_used_bytes = 0
        self._ghost_capacity_bytes = ghost_capacity_bytes
        self._bytes = {Queue.SMALL: 0, Queue.MAIN: 0}
        self._hits: dict[bytes, int] = {}

    def push(self, queue: Queue, entry: bytes, size_bytes: int) -> None:
        assert all(entry not in held for held in self.queues.values()), "an entry pushed twice"
        self.queues[queue][entry] = size_bytes
        self._bytes[queue] += size_bytes

    def pop_oldest(self, queue: Queue) -> tuple[bytes, int] | None:
        if not self.queues[queue]:
            return None
        entry, size_bytes = self.queues[queue].popitem(last=False)
        self._bytes[queue] -= size_bytes
        return entry, size_bytes

    def bytes_in(self, queue: Queue) -> int:
        return self._bytes[queue]

    def hits(self, entry: bytes) -> int:
        return self._hits.get(entry, 0)

    def set_hits(self, entry: bytes, hits: int) -> None:
        self._hits[entry] = hits

    def ghost_add(self, entry: bytes, size_bytes: int) -> None:
        self.ghost_take(entry)
        self.ghost[entry] = size_bytes
        self.ghost_used_bytes += size_bytes
        while self.ghost_used_bytes > self._ghost_capacity_bytes:
            self.ghost_used_bytes -= self.ghost.popitem(last=False)[1]

    def ghost_take(self, entry: bytes) -> bool:
        size_bytes = self.ghost.pop(entry, None)
        if size_bytes is None:
            return False
        self.ghost_used_bytes -= size_bytes
        return True

    def touch(self, entry: bytes) -> bool:
        """Count a hit, if the entry is in a queue."""
        if all(entry not in held for held in self.queues.values()):
            return False
        self._hits[entry] = min(MAX_HITS, self._hits[entry] + 1)
        return True

    def forget(self, entry: bytes) -> None:
        """Drop the hit counter of an entry that left."""
        del self._hits[entry]


class S3Fifo:
    """Makes room first and inserts then, as the store does."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self.queues = MemoryQueues(eviction.ghost_bytes(capacity_bytes))

    def request(self, entry: bytes, size_bytes: int) -> bool:
        queues = self.queues
        if queues.touch(entry):
            return True
        if size_bytes > self._capacity_bytes:
            return False
        while self._used_bytes + size_bytes > self._capacity_bytes:
            victim = eviction.evict_one(queues, self._capacity_bytes)
            assert victim is not None, "a cache that is over its bound holds something"
            queues.forget(victim[0])
        eviction.insert(queues, entry, size_bytes)
        return False

    def held(self) -> dict[bytes, int]:
        return {**self.queues.queues[Queue.SMALL], **self.queues.queues[Queue.MAIN]}

    @property
    def _used_bytes(self) -> int:
        return self.queues.bytes_in(Queue.SMALL) + self.queues.bytes_in(Queue.MAIN)
