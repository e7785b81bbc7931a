"""Who may fill what: one process at a time, whatever becomes of it.

The permit to fill the first slice of a name is a claim: a byte of a file that all processes have
open, locked by the kernel for as long as its holder has it and lives. A part's file beside it is
for those who follow; it takes a name in a directory, which the disk's journal knows of, so what is
small and comes whole goes without (`claim`). Further slices are only asked for by those who know
the first, and have no claim: their file is locked.

Where two names share a byte, one waits for the other. Clients choose what is behind a name's first
bytes, so which byte it is comes from a digest that they cannot aim at another's.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from headrace.store import locks, part
from headrace.store.files import open_file
from headrace.store.follower import PartFollower
from headrace.store.layout import FILLS, PARTS, part_file
from headrace.store.part import Busy, Commit, Part
from headrace.store.phases import PartPhase
from headrace.store.spare_files import SpareFiles

_PLACES = 1 << 60
_FILES = 32
"""The kernel looks at all locks of a file for each of its own: with 10,000 in one, when an origin
hangs, that takes 1 ms. Each process has a descriptor of each.
"""


class Claim:
    """The permit to fill the first slice of a name. `give` it back in the end, once or more."""

    __slots__ = ("_permits", "_place")

    def __init__(self, permits: Permits, place: int) -> None:
        self._permits: Permits | None = permits
        self._place = place

    def give(self) -> None:
        """Let others have it. Idempotent."""
        permits, self._permits = self._permits, None
        if permits is not None:
            permits._give(self._place)

    def __del__(self) -> None:
        self.give()  # a net, as that of a part


class Permits:
    """The permits of one process."""

    def __init__(self, path: Path, commit: Commit, spares: SpareFiles) -> None:
        """`path` is the store's. Raises OSError."""
        self._held: set[int] = set()
        self._fds: list[int] = []
        try:
            for number in range(_FILES):
                self._fds.append(locks.open_lock_file(path / FILLS / f"{number:02x}"))
        except OSError:
            self.close()
            raise
        self._parts = os.fspath(path / PARTS)
        self._commit = commit
        self._spares = spares

    def claim(self, name: bytes) -> Claim | None:
        """Become the one who fills `name`, without a part; None when another does. 3 µs."""
        place = _place_of(name)
        # Locks of one open file are never in each other's way.
        if place in self._held or not locks.try_lock_byte(self._fds[place % _FILES], place):
            return None
        self._held.add(place)
        return Claim(self, place)

    def begin(self, name: bytes, n: int, claim: Claim | None) -> Part | Busy:
        """Become the one who fills slice `n` of `name`, or who may show others how far it is:
        then `claim`, which is the part's from now on, or given back. Raises OSError.
        """
        path = part_file(self._parts, name, n)
        if n:
            return part.begin(path, n, self._commit, self._spares)
        claim = claim or self.claim(name)
        if claim is None:
            return Busy(path, lambda: self._follow(name, path))
        try:
            begun = part.begin(path, n, self._commit, self._spares)
        except BaseException:
            claim.give()
            raise
        if isinstance(begun, Part):
            begun.claim = claim
        else:  # by a process of a version that knows no claims
            claim.give()
        return begun

    def is_claimed(self, place: int) -> bool:
        """Return whether any process has this claim. 2 µs."""
        if place in self._held:
            return True
        return bool(self._fds) and locks.is_byte_locked(self._fds[place % _FILES], place)

    def _follow(self, name: bytes, path: str) -> PartFollower | None:
        place = _place_of(name)
        return ClaimFollower(self, place, path) if self.is_claimed(place) else None

    def _give(self, place: int) -> None:
        if place in self._held:
            self._held.remove(place)
            locks.unlock_byte(self._fds[place % _FILES], place)

    def close(self) -> None:
        """Give all claims back. Idempotent."""
        fds, self._fds = self._fds, []
        self._held.clear()
        for fd in fds:
            os.close(fd)


class ClaimFollower(PartFollower):
    """What another fills without a part. All that is seen of it is its end, as COMPLETE without
    `meta`, when it is time to look again: it is stored, or a part by now, or was given up.
    """

    __slots__ = ("_permits", "_place")

    def __init__(self, permits: Permits, place: int, path: str) -> None:
        super().__init__(path, 0)
        self._permits = permits
        self._place = place

    def poll(self) -> PartPhase:
        """Look whether it goes on: two system calls, 4 µs."""
        if not self._permits.is_claimed(self._place) or _is_live_part(self.path):
            self.phase = PartPhase.COMPLETE
        return self.phase

    def alive(self) -> bool:
        """Return True: its holder's death is an end too."""
        return True

    def close(self) -> None:
        """Stop following. Idempotent."""
        self.fd = -1


def _is_live_part(path: str) -> bool:
    """Return whether somebody has the part at `path`: a worker that was killed leaves its file."""
    try:
        fd = open_file(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return locks.is_locked(fd)
    finally:
        os.close(fd)


def _place_of(name: bytes) -> int:
    digest = hashlib.blake2b(name, digest_size=8).digest()
    return int.from_bytes(digest, "little") % _PLACES
