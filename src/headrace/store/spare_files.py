"""Files of parts that came to nothing on the disk, kept to be parts again.

What ends in the index, or may not be stored, leaves an empty file behind. To make another one
each time is dear: ext4 looks at every inode that was freed in the last minutes before it takes one.
Only what no one else can still read is kept: see `Part.close`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from headrace.store import locks

MOST = 64
"""A descriptor each. With fewer than fills wait for origins at a time, files would be made and
removed all the time, which was a quarter of the cost of small misses."""

MOST_BLOCK_BYTES = 64 * 1024
_BLOCK_BYTES = 512

USED = -1

Spare = tuple[int, str, int]
"""A descriptor, locked, and the only name of its file; and the number of the slice that its first
page has been written for, USED when more was written.
"""


class SpareFiles:
    """The spare files of one process, at most MOST. They die with it: the sweep removes them."""

    def __init__(self, directory: Path) -> None:
        self._directory = os.fspath(directory)
        self._spares: list[Spare] = []
        self._made = 0
        self._closed = False

    @property
    def wanted(self) -> bool:
        """Whether another one would be kept."""
        return len(self._spares) < MOST and not self._closed

    def new_name(self) -> str:
        """Return a path that no other file has."""
        self._made += 1
        return f"{self._directory}/{os.getpid()}-{self._made}-{os.urandom(6).hex()}"

    def take(self) -> Spare | None:
        """Return a file, to be used or removed."""
        return self._spares.pop() if self._spares else None

    def keep(self, fd: int, name: str, written_for: int = USED) -> bool:
        """Keep a file; False when it is not worth it: then it is the caller's still. One that was
        `written_for` a slice and nothing else is locked still, and has no other name.
        """
        if not self.wanted:
            return False
        if written_for != USED:
            self._spares.append((fd, name, written_for))
            return True
        try:
            found = os.fstat(fd)
            small = found.st_blocks * _BLOCK_BYTES <= MOST_BLOCK_BYTES
            if not small or found.st_nlink != 1 or not locks.try_lock(fd):
                return False
        except OSError:
            return False
        self._spares.append((fd, name, USED))
        return True

    def __len__(self) -> int:
        return len(self._spares)

    def close(self) -> None:
        """Remove all. Idempotent."""
        self._closed = True
        while self._spares:
            discard(*self._spares.pop()[:2])


def discard(fd: int, name: str) -> None:
    """Close a spare file and remove it."""
    with suppress(OSError):
        os.unlink(name)
    os.close(fd)
