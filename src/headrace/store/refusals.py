"""Whether the disk takes what the store writes, and since when it does not. Pure.

One refusal is enough to say so; that it is over takes a while without any, and a trial that went
well: a disk that is nearly full takes now and then what is small.
"""

from __future__ import annotations

import enum
import errno
from dataclasses import dataclass, replace

import lmdb

from headrace.store.errors import IndexDamaged, StoreFull

CLEAR_AFTER_S = 10.0
"""Longer than workers store nothing after a refusal, so that they have tried again."""

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN})


class Cause(enum.IntEnum):
    """Why nothing is taken, or not all: a damaged index may take and find much of what comes.
    Kept in shared memory: the numbers stay.
    """

    FULL = 1
    INDEX_FULL = 2
    READ_ONLY = 3
    FAILS = 4
    INDEX_DAMAGED = 5

    @property
    def words(self) -> str:
        """What it is, for operators."""
        return _WORDS[self]

    @property
    def is_of_disk(self) -> bool:
        """Whether the next write would be refused as well, and a trial can tell that it is over.
        A damaged index stays so until it is made anew, at the next start.
        """
        return self is not Cause.INDEX_DAMAGED


_WORDS = {
    Cause.FULL: "the disk is full",
    Cause.INDEX_FULL: "the map of the index is full",
    Cause.READ_ONLY: "the file system is read-only",
    Cause.FAILS: "writing to the disk fails",
    Cause.INDEX_DAMAGED: "its index is damaged; a restart rebuilds it",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The disk takes nothing, for `cause`, since `since_s`; it last refused at `last_s`. Both are
    seconds of the system's monotonic clock, the same in all processes.
    """

    since_s: float
    last_s: float
    cause: Cause

    @property
    def words(self) -> str:
        """What is wrong, for operators."""
        what = "takes nothing new" if self.cause.is_of_disk else "fails in part"
        return f"the store {what}: {self.cause.words}"


def cause_of(error: Exception) -> Cause | None:
    """Return what a failed write says of the disk; None: nothing, it is the object's or ours."""
    if isinstance(error, IndexDamaged):
        return Cause.INDEX_DAMAGED
    if isinstance(error, StoreFull):
        cause = error.__cause__
        if isinstance(cause, lmdb.MapFullError):
            return Cause.INDEX_FULL
        of_disk = cause_of(cause) if isinstance(cause, OSError) else None
        return of_disk or Cause.FULL
    if not isinstance(error, OSError) or error.errno is None or error.errno in _OURS:
        return None
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Cause.FULL
        case errno.EROFS:
            return Cause.READ_ONLY
    return Cause.FAILS


def refused(known: Refusal | None, cause: Cause, now: float) -> Refusal:
    """Return what is known after a refusal now."""
    if known is None:
        return Refusal(now, now, cause)
    return replace(known, last_s=now, cause=cause if known.cause.is_of_disk else known.cause)


def tried(known: Refusal, cause: Cause | None, now: float) -> Refusal | None:
    """Return what is known after a trial now, which came to `cause` (None: all was taken)."""
    if cause is not None:
        return refused(known, cause, now)
    if not known.cause.is_of_disk:
        return known
    return None if now - known.last_s >= CLEAR_AFTER_S else known
