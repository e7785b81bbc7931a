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

MOST = 8
MOST_BLOCK_BYTES = 64 * 1024
_BLOCK_BYTES = 512

Spare = tuple[int, str]
"""A descriptor, locked, and the only name of its file."""


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

    def keep(self, fd: int, name: str) -> bool:
        """Keep a file; False when it is not worth it: then it is the caller's still."""
        if not self.wanted:
            return False
        try:
            found = os.fstat(fd)
            small = found.st_blocks * _BLOCK_BYTES <= MOST_BLOCK_BYTES
            if not small or found.st_nlink != 1 or not locks.try_lock(fd):
                return False
        except OSError:
            return False
        self._spares.append((fd, name))
        return True

    def __len__(self) -> int:
        return len(self._spares)

    def close(self) -> None:
        """Remove all. Idempotent."""
        self._closed = True
        while self._spares:
            discard(*self._spares.pop())


def discard(fd: int, name: str) -> None:
    """Close a spare file and remove it."""
    with suppress(OSError):
        os.unlink(name)
    os.close(fd)
