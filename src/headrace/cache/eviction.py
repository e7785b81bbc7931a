"""S3-FIFO eviction (Yang et al., SOSP 2023), as functions over queues that live elsewhere."""

from __future__ import annotations

import enum
from typing import Protocol


class Queue(enum.IntEnum):
    SMALL = 0
    MAIN = 1


class Queues(Protocol):
    """The state S3-FIFO works on. The store keeps it in LMDB, the simulator in memory."""

    def push(self, queue: Queue, entry: bytes, size_bytes: int) -> None:
        """Add at the newest end."""

    def pop_oldest(self, queue: Queue) -> tuple[bytes, int] | None:
        """Remove and return (entry, size_bytes) at the oldest end, or None when empty."""

    def bytes_in(self, queue: Queue) -> int: ...

    def hits(self, entry: bytes) -> int:
        """Hits since insertion or since the last set_hits, saturating at 3."""

    def set_hits(self, entry: bytes, hits: int) -> None: ...

    def ghost_add(self, entry: bytes, size_bytes: int) -> None:
        """Remember an entry evicted from SMALL; the ghost forgets its own oldest."""

    def ghost_take(self, entry: bytes) -> bool:
        """Whether the ghost remembers this entry; forgets it."""
