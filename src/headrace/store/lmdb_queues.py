"""S3-FIFO's queues and ghost as rows of the index (`headrace.cache.eviction.Queues`).

The ghost remembers what a slice was a slice of (record key and number), not its version: a
response that comes back from the origin has a new version each time.
"""

from __future__ import annotations

import struct

import xxhash

from headrace.cache.eviction import Queue
from headrace.store.index import Change
from headrace.store.layout import slot_of
from headrace.store.rows import SliceRow
from headrace.store.shared_memory import SharedState

_EIGHT = struct.Struct(">Q")
_GHOST = struct.Struct(">8sQ")


class LmdbQueues:
    """Works on the rows of one write transaction. Entries are slice keys with a row in `slices`."""

    __slots__ = ("_capacity_bytes", "_change", "_coming", "_state")

    def __init__(self, change: Change, state: SharedState, capacity_bytes: int) -> None:
        self._change = change
        self._state = state
        self._capacity_bytes = capacity_bytes
        self._coming: tuple[bytes, SliceRow] | None = None

    def expect(self, entry: bytes, row: SliceRow) -> None:
        """Take the row of an entry that is about to be pushed for the first time."""
        self._coming = (entry, row)

    def push(self, queue: Queue, entry: bytes, size_bytes: int) -> None:
        """Add at the newest end."""
        change = self._change
        row = self._row(entry)
        if row is None:
            return  # without a row it is no slice: its place is given up
        change.totals.position += 1
        position = change.totals.position
        change.put(
            change.index.queues,
            bytes((queue,)) + _EIGHT.pack(position),
            _EIGHT.pack(size_bytes) + entry,
        )
        change.put(change.index.slices, entry, row.moved(queue, position).packed())
        self._coming = None
        self._add(queue, size_bytes)

    def pop_oldest(self, queue: Queue) -> tuple[bytes, int] | None:
        """Remove and return (entry, size_bytes) at the oldest end, or None when empty."""
        change = self._change
        found = change.first_from(change.index.queues, bytes((queue,)))
        if found is None or found[0][0] != queue:
            return None
        key, value = found
        change.remove(change.index.queues, key)
        (size_bytes,) = _EIGHT.unpack_from(value)
        self._add(queue, -size_bytes)
        return value[8:], size_bytes

    def take_out(self, row: SliceRow) -> None:
        """Remove an entry from the middle of its queue: its slice goes for another cause."""
        change = self._change
        key = bytes((row.queue,)) + _EIGHT.pack(row.position)
        if change.remove(change.index.queues, key):
            self._add(Queue(row.queue), -row.file_bytes)

    def bytes_in(self, queue: Queue) -> int:
        """Return the bytes in a queue."""
        totals = self._change.totals
        return totals.small_bytes if queue is Queue.SMALL else totals.main_bytes

    def hits(self, entry: bytes) -> int:
        """Return how often an entry was hit lately."""
        return self._state.hits(slot_of(entry))

    def set_hits(self, entry: bytes, hits: int) -> None:
        """Set how often an entry was hit lately."""
        self._state.set_hits(slot_of(entry), hits)

    def ghost_add(self, entry: bytes, size_bytes: int) -> None:
        """Remember an evicted entry; the oldest are forgotten beyond the capacity."""
        change, totals = self._change, self._change.totals
        name = self._ghost_name(entry)
        self._forget(name)
        totals.ghost_position += 1
        position = _EIGHT.pack(totals.ghost_position)
        change.put(change.index.ghost, position, _GHOST.pack(name, size_bytes))
        change.put(change.index.ghost_names, name, position)
        totals.ghost_bytes += size_bytes
        while totals.ghost_bytes > self._capacity_bytes and self._forget_oldest():
            pass

    def ghost_trim(self, most: int) -> None:
        """Forget up to `most` of the oldest evicted entries."""
        for _ in range(most):
            if not self._forget_oldest():
                return

    def _forget_oldest(self) -> bool:
        """Forget the oldest evicted entry; False when there is none.

        Its row goes whatever its name leads to: in a damaged index that may be nothing, or another
        row, and who waits for the oldest to go would wait forever, under the writers' lock.
        """
        change, totals = self._change, self._change.totals
        oldest = change.first_from(change.index.ghost, b"")
        if oldest is None:
            totals.ghost_bytes = 0
            return False
        position, (name, size_bytes) = oldest[0], _GHOST.unpack(oldest[1])
        if change.get(change.index.ghost_names, name) == position:
            change.remove(change.index.ghost_names, name)
        change.remove(change.index.ghost, position)
        totals.ghost_bytes = max(0, totals.ghost_bytes - size_bytes)
        return True

    def ghost_take(self, entry: bytes) -> bool:
        """Forget an evicted entry; return whether it was known."""
        return self._forget(self._ghost_name(entry))

    def _forget(self, name: bytes) -> bool:
        change = self._change
        position = change.get(change.index.ghost_names, name)
        if position is None:
            return False
        change.remove(change.index.ghost_names, name)
        row = change.get(change.index.ghost, position)
        if row is not None:
            change.remove(change.index.ghost, position)
            change.totals.ghost_bytes = max(0, change.totals.ghost_bytes - _GHOST.unpack(row)[1])
        return True

    def _ghost_name(self, entry: bytes) -> bytes:
        row = self._row(entry)
        return xxhash.xxh3_64_digest((entry if row is None else row.record_key) + entry[-4:])

    def _row(self, entry: bytes) -> SliceRow | None:
        """Return an entry's row; None when it is gone or says nothing: the index was damaged."""
        coming = self._coming
        if coming is not None and coming[0] == entry:
            return coming[1]
        packed = self._change.get(self._change.index.slices, entry)
        return SliceRow.read(packed) if packed is not None else None

    def _add(self, queue: Queue, size_bytes: int) -> None:
        totals = self._change.totals
        if queue is Queue.SMALL:
            totals.small_bytes = max(0, totals.small_bytes + size_bytes)
        else:
            totals.main_bytes = max(0, totals.main_bytes + size_bytes)
