"""A slice file while it is written: one holder fills it, other processes may follow it.

The holder's lock lies on the file itself and dies with the holder. No bytes move when the part
becomes a slice: the header is reserved in front and the finished file is renamed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headrace.cache.stored import StoredResponse


class PartPhase(enum.IntEnum):
    """How far a part has come. The last three are final."""

    WAITING_HEAD = 0
    BODY = 1
    COMPLETE = 2
    FAILED = 3
    UNCACHEABLE = 4


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else holds this part; `PartFollower.open(path)` follows it."""

    path: Path


class Part:
    """A slice being filled by this process. Made by `Store.begin_part`; `close` it in the end.

    `fd` is open for reading and writing until `close`, also after the part has been finished or
    has failed, so local readers may go on with it (body bytes begin at `body_offset`).
    """

    path: Path
    fd: int
    n: int
    body_offset: int  # 0 until set_head
    written: int  # as last published
    phase: PartPhase

    def set_head(self, stored: StoredResponse) -> None:
        """Reserve and write the header; the body begins after it. Once, before any body byte.

        Raises OSError (no space).
        """
        raise NotImplementedError

    def write(self, buffer: memoryview | bytes, at: int) -> None:
        """Write all of `buffer` at body offset `at`. Raises OSError (ENOSPC, EIO)."""
        raise NotImplementedError

    def publish(self, written: int) -> None:
        """Tell followers that the body's first `written` bytes are there. No system call."""
        raise NotImplementedError

    def finish(self, stored: StoredResponse, length: int, *, record: bool = True) -> bool:
        """Make the part a slice of `length` body bytes, index it and `stored`, and evict.

        Returns False when a purge newer than `stored.generation`, or a newer representation, came
        in between: nothing is stored, but followers may read the complete body to its end.

        When `stored.length` is -1 this slice is the representation's last, and the record's length
        becomes `n * stored.slice_bytes + length`. Earlier slices of a representation of unknown
        length are finished with `record=False`: they are kept, but no lookup finds them before the
        last one is there. A slice that exists already is replaced and counted once.

        Raises StoreFull, SliceTooLarge or OSError; the part then is neither indexed nor failed:
        call `fail`.
        """
        raise NotImplementedError

    def fail(self, reason: bytes) -> None:
        """The fill broke off: followers see FAILED and the reason (first 40 bytes)."""
        raise NotImplementedError

    def mark_uncacheable(self) -> None:
        """The response may not be stored: followers see UNCACHEABLE and fetch for themselves."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Give the part up without a verdict; followers see a dead holder and may begin anew."""
        raise NotImplementedError

    def close(self) -> None:
        """Close `fd`; abandons a part without a final phase. Idempotent."""
        raise NotImplementedError


Commit = Callable[[Part, StoredResponse, int, bool], bool]


class PartFollower:
    """Reads a part that another process (or this one) fills. `poll` to learn what is new."""

    path: Path
    fd: int
    phase: PartPhase  # these five as of the last poll
    written: int
    body_offset: int
    meta: StoredResponse | None
    reason: bytes

    @classmethod
    def open(cls, path: Path) -> PartFollower | None:
        """None when the part is gone (finished or given up): look up again."""
        raise NotImplementedError

    def poll(self) -> PartPhase:
        """Read the control page anew: one system call of about 1 µs. Raises OSError."""
        raise NotImplementedError

    def alive(self) -> bool:
        """False when the holder died without a final phase (about 2 µs). Takes no lock."""
        raise NotImplementedError

    def close(self) -> None:
        """Idempotent."""
        raise NotImplementedError
