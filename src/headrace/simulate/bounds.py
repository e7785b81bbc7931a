"""How large a simulation may be: what it keeps by site and interval, and all of its memory.

A simulation that does not fit ends with a message, before the machine ends it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from headrace.errors import HeadraceError

MOST_CELLS = 10_000_000
"""So many intervals times sites: each takes six numbers of eight bytes."""

_STATM = Path("/proc/self/statm")
_MEMINFO = Path("/proc/meminfo")
_OF_GROUP = Path("/sys/fs/cgroup/memory.max")
_USABLE = 0.9


class TooLarge(HeadraceError):
    """A simulation is larger than what there is room for."""


def check_intervals(intervals: int, sites: int) -> None:
    """Raise TooLarge where so many intervals of so many sites cannot be kept."""
    if intervals * (sites + 1) > MOST_CELLS:
        raise TooLarge(
            f"{intervals:,} intervals of {sites:,} sites are more than {MOST_CELLS:,} together: "
            "make interval longer in the scenario, or simulate a shorter time"
        )


class MemoryBound:
    """What this process may take: `most_bytes`, or else what the machine had left when it began."""

    def __init__(self, most_bytes: int | None = None) -> None:
        self.most_bytes = _room() if most_bytes is None else most_bytes

    def check(self) -> None:
        """Raise TooLarge where the process has more."""
        if self.most_bytes is not None and (_taken() or 0) > self.most_bytes:
            raise TooLarge(
                f"the simulation takes more than {self.most_bytes / 10**9:.2g} GB: lower scale in "
                "the scenario, take fewer logs, or give it more by --memory"
            )


def _taken() -> int | None:
    """Return the memory of this process; None where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _room() -> int | None:
    """Return what this process may take: nearly all that is free, and what its group may have."""
    taken, found = _taken(), []
    free = _free()
    if taken is not None and free is not None:
        found.append(taken + free)
    # No such groups here, or no limit: "max".
    with contextlib.suppress(OSError, ValueError):
        found.append(int(_OF_GROUP.read_text()))
    return int(min(found) * _USABLE) if found else None


def _free() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "MemAvailable" and rest.split():
            return int(rest.split()[0]) * 1024
    return None
