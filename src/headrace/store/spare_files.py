"""Files of parts that came to nothing on the disk, and of evicted slices, kept to be parts again.

What ends in the index, or may not be stored, leaves an empty file behind. To make another one
each time is dear: ext4 looks at every inode that was freed in the last minutes before it takes one.
An evicted slice leaves pages in memory and blocks on the disk: to write over them takes the kernel
a third of the time that new ones take. Only what no one else can still read is kept: see
`Part.close`, `claim` and `settle`.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from headrace.store import header, locks
from headrace.store.files import open_file
from headrace.store.layout import PAGE_BYTES
from headrace.store.settings import StoreSettings

MOST = 64
"""A descriptor each. With fewer than fills wait for origins at a time, files would be made and
removed all the time, which was a quarter of the cost of small misses."""

MOST_BLOCK_BYTES = 64 * 1024
MOST_RECYCLED_BYTES = 64 * 1024 * 1024
RECYCLED_SHARE = 64
"""One part in so many of the store's size may be blocks of spare files, in each process."""
_BLOCK_BYTES = 512
_LENT = stat.S_IXUSR

USED = -1

Spare = tuple[int, str, int, int]
"""A descriptor, locked, and the only name of its file; the number of the slice that its first page
has been written for, USED when more was written; and what it takes on the disk.
"""

Claimed = tuple[int, str]
"""A descriptor, locked, and the only name of the file of a slice that has left the index."""


class SpareFiles:
    """The spare files of one process, at most MOST; slices' files among them only up to
    `limit_bytes` on the disk. They die with it: the sweep removes them.
    """

    def __init__(self, directory: Path, limit_bytes: int = 0) -> None:
        self._directory = os.fspath(directory)
        self._limit_bytes = limit_bytes
        self._spares: list[Spare] = []
        self._held_bytes = 0
        self._made = 0
        self._closed = False
        self._in_use = False
        self._claims = 0
        self.recycled = 0

    @property
    def wanted(self) -> bool:
        """Whether another one would be kept."""
        return len(self._spares) < MOST and not self._closed

    @property
    def held_bytes(self) -> int:
        """What they take on the disk together, beyond the first page of each."""
        return self._held_bytes

    def new_name(self) -> str:
        """Return a path that no other file has."""
        self._made += 1
        return f"{self._directory}/{os.getpid()}-{self._made}-{os.urandom(6).hex()}"

    def take(self) -> Spare | None:
        """Return a file, to be used or removed: one with pages while there is one."""
        self._in_use = True
        if not self._spares:
            return None
        spare = self._spares.pop()
        self._held_bytes -= _beyond_a_page(spare)
        return spare

    def keep(self, fd: int, name: str, written_for: int = USED, block_bytes: int = 0) -> bool:
        """Keep a file; False when it is not worth it: then it is the caller's still. One that was
        `written_for` a slice and nothing else is locked still, has no other name, and takes the
        `block_bytes` that it took before.
        """
        if not self.wanted:
            return False
        if written_for != USED:
            if not self._has_room(block_bytes):
                return False
            self._add((fd, name, written_for, block_bytes))
            return True
        try:
            found = os.fstat(fd)
            block_bytes = found.st_blocks * _BLOCK_BYTES
            if found.st_nlink != 1 or found.st_mode & _LENT or not self._has_room(block_bytes):
                return False
            if not locks.try_lock(fd):
                return False
        except OSError:
            return False
        self._add((fd, name, USED, block_bytes))
        return True

    def claim(self, path: str) -> Claimed | None:
        """Take its name from the file of a slice that is in the index no more, to `settle` it when
        others can write again. None when it is the caller's still, to be removed. About 20 µs:
        nothing is read, which might have to come from the disk.

        Whoever opens a slice locks it, then looks whether its name still stands for it
        (`SliceReader`): after it has lost its name here, all who read from it are seen.
        """
        if not self._in_use or len(self._spares) + self._claims >= MOST or self._closed:
            return None
        try:
            fd = open_file(path, os.O_RDWR)
        except OSError:
            return None
        try:
            status = os.fstat(fd)
            block_bytes = status.st_blocks * _BLOCK_BYTES
            is_lent = bool(status.st_mode & _LENT)
            if is_lent or self._held_bytes + block_bytes > self._limit_bytes:
                os.close(fd)
                return None
            name = self.new_name()
            if not locks.try_lock(fd) or locks.is_followed(fd):
                os.close(fd)
                return None
            os.rename(path, name)
        except OSError:
            os.close(fd)
            return None
        self._claims += 1
        return fd, name

    def settle(self, claimed: Claimed) -> None:
        """Keep a claimed file where it is sound and no one can still read from it; else remove it.
        Reads from the disk.
        """
        fd, name = claimed
        self._claims -= 1
        # Only now for good: until its name was gone, others could open it.
        if _is_sound(fd) and not was_followed(fd) and self.keep(fd, name):
            self.recycled += 1
        else:
            discard(fd, name)

    def _has_room(self, block_bytes: int) -> bool:
        return block_bytes <= MOST_BLOCK_BYTES or self.held_bytes + block_bytes <= self._limit_bytes

    def _add(self, spare: Spare) -> None:
        self._spares.append(spare)
        self._held_bytes += _beyond_a_page(spare)

    def __len__(self) -> int:
        return len(self._spares)

    def close(self) -> None:
        """Remove all. Idempotent."""
        self._closed = True
        self._held_bytes = 0
        while self._spares:
            discard(*self._spares.pop()[:2])


def _beyond_a_page(spare: Spare) -> int:
    return max(0, spare[3] - PAGE_BYTES)


def _is_sound(fd: int) -> bool:
    """Return whether a slice's file begins as it should."""
    try:
        found = header.unpack_control(os.pread(fd, header.CONTROL_BYTES, 0))
    except OSError:
        return False
    return found is not None and found[1]


def was_followed(fd: int) -> bool:
    """Return whether another open file follows or reads the file, or another process once followed
    it as a part: what that has mapped and sends may outlast its lock.
    """
    try:
        return locks.is_followed(fd) or os.pread(fd, 1, header.FOLLOWED_AT) != b"\0"
    except OSError:
        return True


def lend(fd: int) -> bool:
    """Note on the file itself that the kernel sends its own pages, some of them long after all have
    closed it: it is never written over. Return False when that cannot be noted: then it must not
    be sent from.
    """
    try:
        os.fchmod(fd, stat.S_IRUSR | stat.S_IWUSR | _LENT)
    except OSError:
        return False
    return True


def discard(fd: int, name: str) -> None:
    """Close a spare file and remove it."""
    with suppress(OSError):
        os.unlink(name)
    os.close(fd)


def limit_for(settings: StoreSettings) -> int:
    """Return what the spare files of one process may take of a store; 0: no file is written over.

    After a crash of the operating system the file that was written over may have its old name and
    an index that knows it so. Only the body's checksum tells it from what it was.
    """
    if not (settings.checksum_on_open or settings.caller_verifies):
        return 0
    return min(MOST_RECYCLED_BYTES, settings.size_bytes // RECYCLED_SHARE)
