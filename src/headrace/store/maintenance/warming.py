"""Keeping the index in memory. Workers look things up on their event loops: a page that has to come
from the disk stops all of a worker's clients, and a look takes four of them.

The kernel is asked to read what is not there: after a start of the machine all of it, later what
others' work has driven out. 2 GB, a million small objects, took 6 s from a disk and 0.05 s of
processor time where all was there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
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
MOST_GROUPS = 32
"""Around one another: so many are looked at, the innermost first."""


@dataclass(frozen=True, slots=True)
class _Files:
    """What a version of control groups calls its files, and the rows of `memory.stat` that are of
    pages of files, those of groups inside included. `mount` is below _GROUPS.
    """

    mount: str
    limits: tuple[str, ...]
    current: str
    of_files: tuple[str, str]


_V1 = _Files(
    "memory", ("memory.limit_in_bytes",), "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"),
)  # fmt: skip
_V2 = _Files("", ("memory.high", "memory.max"), "memory.current", ("active_file", "inactive_file"))


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
        room_bytes = self._room_bytes()  # others may take it while the walk lasts
        if room_bytes is None or size_bytes * SHARE > room_bytes:
            self._at, self._due_s = 0, now_s + EVERY_S
            return False
        end = min(self._at + STEP_BYTES, size_bytes)
        self._index.bring_in(self._at, end)
        if end < size_bytes:
            self._at = end
            return True
        self._at, self._due_s = 0, now_s + EVERY_S
        return False


def memory_for_files() -> int | None:
    """Return how much memory the system, or this process's control group (cgroups(7), both
    versions), has for pages of files, those that are there included; None where it does not say.
    """
    room_bytes = None
    with suppress(OSError, ValueError, IndexError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                room_bytes = int(line.split()[1]) * 1024
    if room_bytes is None:
        return None
    for group, files in _groups():
        with suppress(OSError, ValueError):  # no such group here
            limit_bytes = _limit_bytes(group, files)
            if limit_bytes is not None:
                room_bytes = min(room_bytes, max(0, limit_bytes - _kept_bytes(group, files)))
    return room_bytes


def _groups() -> list[tuple[Path, _Files]]:
    """Return the directories of this process's groups and those around them.

    In a container the outermost may be its own group, whatever its path is outside.
    """
    found: list[tuple[Path, _Files]] = []
    with suppress(OSError):
        for line in _GROUP.read_text().splitlines():
            number, _colon, rest = line.partition(":")
            controllers, _colon, path = rest.partition(":")
            if number == "0" and not controllers:
                files = _V2
            elif "memory" in controllers.split(","):
                files = _V1
            else:
                continue
            group = Path("/", path)
            around = (group, *group.parents)
            around = (*around[: MOST_GROUPS - 1], around[-1])
            found += [(_GROUPS / files.mount / str(each).lstrip("/"), files) for each in around]
    return found


def _limit_bytes(group: Path, files: _Files) -> int | None:
    """Return what a group may take before it is slowed down (`memory.high`) or ended; None: all.
    Raises OSError, ValueError.
    """
    limits = [(group / name).read_text().strip() for name in files.limits]
    return min((int(limit) for limit in limits if limit != "max"), default=None)


def _kept_bytes(group: Path, files: _Files) -> int:
    """Return what a group takes that is not of files: no page of a file drives it out. Raises
    OSError, ValueError.
    """
    kept_bytes = int((group / files.current).read_text())
    for line in (group / "memory.stat").read_text().splitlines():
        name, _space, size_bytes = line.partition(" ")
        if name in files.of_files:
            kept_bytes -= int(size_bytes)
    return max(0, kept_bytes)
