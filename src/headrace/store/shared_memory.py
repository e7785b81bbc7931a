"""What all processes of a store share in memory: the purge generation and the hit counters.

One small mapped file. Nothing in it is needed after a crash of the operating system.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from headrace.store import locks
from headrace.store.errors import StoreError
from headrace.store.files import open_file
from headrace.store.layout import PAGE_BYTES, SLOTS
from headrace.store.refusals import Cause, Refusal

MAX_HITS = 3
_MAGIC = int.from_bytes(b"HEADRAC1", "little")
_SIZE_BYTES = PAGE_BYTES + SLOTS

_AT_MAGIC = 0
_AT_GENERATION = 1
_AT_FULL = 2
_AT_IO_ERRORS = 3
_AT_REFUSED_SINCE = 4  # nanoseconds; 0: the disk takes what comes
_AT_REFUSED_LAST = 5
_AT_REFUSED_CAUSE = 6
_CAUSES = {int(one): one for one in Cause}
_AT_HOLDERS = 64
_HOLDER_WORDS = 3  # process, when it began, bytes
_HOLDERS = 128


class SharedState:
    """The mapping of one process. The generation is changed under the index's write lock only."""

    __slots__ = ("_held_at", "_hits", "_mapping", "_words")

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OSError (no space) or StoreError (not ours)."""
        fd = open_file(path, os.O_RDWR | os.O_CREAT)
        try:
            # Allocated in full: a page that finds no room when it is touched would be a SIGBUS.
            _reserve(fd, path)
            locks.follow(fd)  # as long as it is mapped: see `is_in_use`
            self._mapping = mmap.mmap(fd, _SIZE_BYTES)
        finally:
            os.close(fd)
        view = memoryview(self._mapping)
        self._words = view[:PAGE_BYTES].cast("Q")
        self._hits = view[PAGE_BYTES:]
        self._held_at = -1
        if self._words[_AT_MAGIC] == 0:
            self._words[_AT_MAGIC] = _MAGIC
        elif self._words[_AT_MAGIC] != _MAGIC:
            raise StoreError(f"{path} is not a store's state file: remove it and start again")

    def generation(self) -> int:
        """Return the generation of the newest purge."""
        return self._words[_AT_GENERATION]

    def set_generation(self, generation: int) -> None:
        """Announce a purge's generation to all processes."""
        self._words[_AT_GENERATION] = generation

    # What processes hold on disk that no index entry counts: parts in flight, deleted files.

    def claim_holder(self) -> None:
        """Take a place to report what this process holds. Under the lock of opening."""
        self.forget_dead_holders()
        for at in range(_AT_HOLDERS, _AT_HOLDERS + _HOLDERS * _HOLDER_WORDS, _HOLDER_WORDS):
            if not self._words[at]:
                self._words[at + 2] = 0
                self._words[at + 1] = began_at(os.getpid())
                self._words[at] = os.getpid()
                self._held_at = at
                return

    def publish_held(self, held_bytes: int) -> None:
        """Report to all processes how many bytes this one holds now."""
        if self._held_at >= 0:
            self._words[self._held_at + 2] = held_bytes

    def held_bytes(self) -> int:
        """Return what all processes hold together. 2 µs."""
        first = _AT_HOLDERS + 2
        return sum(self._words[first : first + _HOLDERS * _HOLDER_WORDS : _HOLDER_WORDS])

    def forget_dead_holders(self) -> None:
        """Free the places of processes that are gone, and with them all that they held."""
        for at in range(_AT_HOLDERS, _AT_HOLDERS + _HOLDERS * _HOLDER_WORDS, _HOLDER_WORDS):
            process = self._words[at]
            if process and began_at(process) != self._words[at + 1]:
                self._words[at + 2] = self._words[at] = 0

    def touch(self, slot: int) -> None:
        """Count a hit, saturating. Two processes at once may count one: a hint needs no more."""
        hits = self._hits[slot]
        if hits < MAX_HITS:
            self._hits[slot] = hits + 1

    def hits(self, slot: int) -> int:
        """Return the hits of a slot."""
        return self._hits[slot]

    def set_hits(self, slot: int, hits: int) -> None:
        """Set the hits of a slot."""
        self._hits[slot] = hits

    def count_full(self) -> None:
        """Count that the index had no room."""
        self._words[_AT_FULL] += 1

    def count_io_error(self) -> None:
        """Count that the disk refused something."""
        self._words[_AT_IO_ERRORS] += 1

    def counts(self) -> dict[str, int]:
        """Return what `count_full` and `count_io_error` have counted."""
        return {
            "index_full": self._words[_AT_FULL],
            "io_errors": self._words[_AT_IO_ERRORS],
        }

    def refusal(self) -> Refusal | None:
        """Return since when the disk takes nothing, as any process found; None: it does."""
        since_ns = self._words[_AT_REFUSED_SINCE]
        if not since_ns:
            return None
        last_ns, number = self._words[_AT_REFUSED_LAST], self._words[_AT_REFUSED_CAUSE]
        # Two processes may write at once: never a number that is none.
        cause = _CAUSES.get(number, Cause.FAILS)
        return Refusal(since_ns / 1e9, max(since_ns, last_ns) / 1e9, cause)

    def set_refusal(self, refusal: Refusal | None) -> None:
        """Tell all processes since when the disk takes nothing, or that it does (None)."""
        if refusal is None:
            self._words[_AT_REFUSED_SINCE] = 0
            return
        self._words[_AT_REFUSED_CAUSE] = refusal.cause
        self._words[_AT_REFUSED_LAST] = int(refusal.last_s * 1e9)
        self._words[_AT_REFUSED_SINCE] = max(1, int(refusal.since_s * 1e9))

    def close(self) -> None:
        """Close the mapping."""
        if self._held_at >= 0:
            self._words[self._held_at + 2] = self._words[self._held_at] = 0
        self._words.release()
        self._hits.release()
        self._mapping.close()


def is_in_use(path: Path) -> bool:
    """Return whether any process has the file mapped: it has the store open. Raises OSError."""
    fd = open_file(path, os.O_RDWR)
    try:
        return locks.is_followed(fd)
    finally:
        os.close(fd)


def began_at(process: int) -> int:
    """Return when a process began, in ticks since the system's start; 0 when there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return 0
    return int(text.rpartition(b")")[2].split()[19])


def _reserve(fd: int, path: Path) -> None:
    """Give the file its room on disk. Raises OSError, which names the file."""
    try:
        os.posix_fallocate(fd, 0, _SIZE_BYTES)
    except OSError as error:
        told = f"{error.strerror}: it needs {-(-_SIZE_BYTES // 1024**2)} MiB on disk; free some"
        raise OSError(error.errno, told, str(path)) from error
