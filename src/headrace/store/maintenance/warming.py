"""Keeping the index in memory. Workers look things up on their event loops: a page that has to come
from the disk stops all of a worker's clients, and a look takes four of them.

The kernel is asked to read what is not there: after a start of the machine all of it, later what
others' work has driven out. 2 GB, a million small objects, took 6 s from a disk and 0.05 s of
processor time where all was there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headrace.store.index import Index

EVERY_S = 60.0
STEP_BYTES = 64 * 1024 * 1024
"""In one step: the store's thread has other things to do."""

SHARE = 2
"""The index may be one part in so many of the memory there is for it: else what it drives out would
be missed as much, or it would drive out itself.
"""

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


class IndexWarming:
    """A walk over the index's file, some of it at a time, every EVERY_S."""

    def __init__(self, index: Index, room_bytes: Callable[[], int | None] | None = None) -> None:
        """`room_bytes` returns how much memory pages of files may take; None: not known."""
        self._index = index
        self._room_bytes = room_bytes or memory_for_files
        self._at = 0
        self._due_s = 0.0

    def step(self, now_s: float) -> bool:
        """Bring in the next STEP_BYTES; return whether there is more to do now. `now_s` is
        monotonic time. Raises OSError.
        """
        if now_s < self._due_s:
            return False
        size_bytes = self._index.reached_bytes()
        if not self._at:
            room_bytes = self._room_bytes()
            if room_bytes is None or size_bytes * SHARE > room_bytes:
                self._due_s = now_s + EVERY_S
                return False
        end = min(self._at + STEP_BYTES, size_bytes)
        self._index.bring_in(self._at, end)
        if end < size_bytes:
            self._at = end
            return True
        self._at, self._due_s = 0, now_s + EVERY_S
        return False


def memory_for_files() -> int | None:
    """Return how much memory the system, or this process's control group (cgroups(7), version 2),
    has for pages of files, those that are there included; None where it does not say.
    """
    room_bytes = None
    with suppress(OSError, ValueError, IndexError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                room_bytes = int(line.split()[1]) * 1024
    if room_bytes is None:
        return None
    for limit in _limits():
        # No such group here, or no limit: "max".
        with suppress(OSError, ValueError):
            room_bytes = min(room_bytes, int(limit.read_text()))
    return room_bytes


def _limits() -> list[Path]:
    """Return the files that say what this process's group and those around it may take."""
    with suppress(OSError):
        for line in _GROUP.read_text().splitlines():
            if line.startswith("0::/"):
                group = Path(line[4:])
                return [_GROUPS / each / "memory.max" for each in (group, *group.parents)]
    return []
