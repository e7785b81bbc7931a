"""A slice file while it is written: one holder fills it, others may follow it (`follower.py`).

The holder's lock lies on the file itself and dies with the holder. No bytes move when the part
becomes a slice: the header is reserved in front and the finished file is linked into its place.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import xxhash

from headrace.cache.record import StoredResponse
from headrace.store import header, locks
from headrace.store.checksums import checksum_of
from headrace.store.errors import SliceTooLarge, StoreError
from headrace.store.files import NOT_A_FILE, open_file, remove
from headrace.store.follower import PartFollower
from headrace.store.layout import MAX_META_BYTES, MAX_SLICE, PAGE_BYTES
from headrace.store.phases import FINAL, PartPhase
from headrace.store.spare_files import USED, SpareFiles, discard, was_followed

MOST_HELD_BYTES = 64 * 1024
"""Of what may end in the index, what a process keeps in memory while it comes."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another fill holds this part; `PartFollower.open(path)` follows it, or, where there is no
    file (yet), what `unseen` returns; None: it is gone.
    """

    path: str
    unseen: Callable[[], PartFollower | None] = field(default=lambda: None, compare=False)


class Part:
    """A slice being filled by this process. Made by `Store.begin_part`; `close` it in the end.

    `fd` is open for reading and writing until `close`, also after the part has been finished or
    has failed, so local readers may continue with it. Body bytes begin at `body_offset`, which is 0
    until `set_head`; `written` is as last published. `is_inside`: what was finished is kept in the
    index, and not in this file. `is_shared`: someone here may read from it after `close`.
    """

    __slots__ = (
        "_commit", "_control", "_digest", "_hashed", "_held", "_sealed", "_spare", "_spares",
        "_unseen", "_written_for", "body_offset", "claim", "fd", "is_inside", "is_shared", "n",
        "path", "phase", "spare_bytes", "written",
    )  # fmt: skip

    def __init__(
        self, fd: int, path: str, n: int, commit: Commit, spares: SpareFiles, spare: str = ""
    ) -> None:
        """Take over `fd`, which is locked and empty, unless this raises OSError.

        With `spare`, which is another name of it, its first page is written already.
        """
        control = _first_control(n) if spare else _write_first_page(fd, n)
        # Only now: what fails before leaves nothing that `__del__` would close a second time, when
        # the number may be another file's.
        self.fd = fd
        self.path = path
        self.n = n
        self.body_offset = 0
        self.written = 0
        self.is_inside = self.is_shared = self._sealed = self._unseen = False
        self.claim: Given | None = None  # given back as soon as others may begin
        self._spares = spares
        self._spare = spare
        self.spare_bytes = PAGE_BYTES  # of the disk, as a spare file
        self.phase = PartPhase.WAITING_HEAD
        self._commit = commit
        self._digest = xxhash.xxh3_64()
        self._hashed = 0
        self._control = control
        self._held: tuple[StoredResponse, memoryview] | None = None
        self._written_for = n  # and nothing else was written

    def set_head(self, stored: StoredResponse) -> None:
        """Reserve and write the header; the body begins after it. Once, before any body byte.

        Raises OSError (no space) or StoreError (a head of more than a megabyte).
        """
        meta = header.encode_record(stored)
        if len(meta) > MAX_META_BYTES:
            raise StoreError(
                f"a response head of {len(meta)} bytes is not stored: 1 MiB is the most"
            )
        self.body_offset = header.header_bytes_for(len(meta))
        if self.body_offset > PAGE_BYTES:
            os.ftruncate(self.fd, self.body_offset)
        self._write_meta(meta)
        self._show(PartPhase.BODY)

    def hold(self, stored: StoredResponse, body: memoryview) -> None:
        """Take the whole of a small body as it stays in memory until `finish`, instead of
        `set_head` and `write`: nothing is written to the file unless somebody follows it, or the
        index has no room.
        """
        self._held = (stored, body)

    def put_out(self) -> None:
        """Write what is held into the file, for others. Raises OSError or StoreError."""
        held, self._held = self._held, None
        if held is not None:
            self.set_head(held[0])
            self.write(held[1], 0)
            self.publish(len(held[1]))

    def write(self, buffer: memoryview | bytes | bytearray, at: int) -> None:
        """Write all of `buffer` at body offset `at`. Raises OSError (ENOSPC, EIO)."""
        view = memoryview(buffer)
        size_bytes = len(view)
        done = os.pwrite(self.fd, view, self.body_offset + at)
        while done < size_bytes:
            done += os.pwrite(self.fd, view[done:], self.body_offset + at + done)
        if at == self._hashed:
            self._digest.update(view)
            self._hashed += size_bytes
        elif at < self._hashed:
            self._hashed = -1  # overwritten: `finish` reads the file once more

    def publish(self, written: int) -> None:
        """Show followers that the body's first `written` bytes are there. Raises OSError.

        Written, and not stored into a mapping: were the file cut short, that would end the process.
        """
        self.written = written
        self._put_word(header.WRITTEN_AT, written)

    def finish(self, stored: StoredResponse, length: int, *, record: bool = True) -> bool:
        """Make the part a slice of `length` body bytes, index it and `stored`, and evict.

        Returns False when a purge newer than `stored.generation`, or a newer representation, came
        in between, or when more would have to be evicted for it than can be in one go: nothing is
        stored, but followers may read the complete body to its end.

        When `stored.length` is -1 this slice is the representation's last, and the record's length
        becomes `n * stored.slice_bytes + length`. Earlier slices of a representation of unknown
        length are finished with `record=False`: they are kept, but no lookup finds them before the
        last one is there. A slice that exists already is replaced and counted once.

        Raises StoreFull, SliceTooLarge or OSError; the part then is neither indexed nor failed:
        call `fail`. Costs about 60 µs, and a read of the body unless it was written in order.
        """
        if stored.length < 0 and record:
            total = self.n * stored.slice_bytes + length
            stored = msgspec.structs.replace(stored, length=total)
        if self.written != length and self._held is None:
            self.publish(length)
        kept = self._commit(self, stored, length, record)
        unlinked = self._unlink()
        if self._held is not None and unlinked and not self.is_followed():
            self._unseen = True  # and it has no name any more
            self.phase = PartPhase.COMPLETE
            return kept
        self.put_out()
        self._show(PartPhase.COMPLETE)
        if kept and not self.is_inside:
            locks.follow(self.fd)  # what is mapped of it, or open, is a reader from now on
        locks.unlock(self.fd)
        return kept

    def seal(self, stored: StoredResponse, length: int) -> None:
        """Make the file one that stands for itself: its length, its record, its checksum. Raises
        OSError.
        """
        self._sealed = True
        self.put_out()
        if os.fstat(self.fd).st_size != self.body_offset + length:
            os.ftruncate(self.fd, self.body_offset + length)  # 100 µs on ext4, changed or not
        meta = header.encode_record(stored)
        if header.header_bytes_for(len(meta)) == self.body_offset:
            self._write_meta(meta)
        # else: the head grew by a page since set_head; the file keeps the record it began with,
        # and the index has the new one.
        self._update(
            body_bytes=length, total_bytes=stored.length, body_checksum=self._checksum(length)
        )

    def read(self, length: int) -> bytes:
        """Return the first `length` bytes of a small body. Raises OSError, also when they are not
        there.
        """
        if self._held is not None:
            return bytes(self._held[1])
        body = os.pread(self.fd, length, self.body_offset)
        if len(body) != length:
            raise OSError(f"a part of {length} bytes ends at {len(body)}")
        return body

    def fail(self, reason: bytes) -> None:
        """Mark the fill as broken off: followers see FAILED and the reason (its first 40 bytes)."""
        self.is_inside = False  # its transaction may have failed after it said so
        with contextlib.suppress(OSError):
            self._update(reason=reason[: header.REASON_BYTES])
        self._end(PartPhase.FAILED)

    def mark_uncacheable(self) -> None:
        """Mark the response as not to be stored: followers see UNCACHEABLE and fetch their own."""
        self._end(PartPhase.UNCACHEABLE)

    def abandon(self) -> None:
        """Give the part up without an outcome; followers see a dead holder and may begin again."""
        self._unlink()
        locks.unlock(self.fd)

    def is_followed(self) -> bool:
        """Return whether another open file follows the part (about 2 µs)."""
        return self.fd >= 0 and locks.is_followed(self.fd)

    def close(self) -> None:
        """Close `fd`; abandons a part without a final phase. Idempotent."""
        if self.fd < 0:
            return
        if self.phase not in FINAL:
            self.abandon()
        fd, self.fd = self.fd, -1
        if not self._spare:
            os.close(fd)
        elif self._unseen and self._spares.keep(
            fd, self._spare, self._written_for, self.spare_bytes
        ):
            return
        elif not (
            self._is_of_use() and not was_followed(fd) and self._spares.keep(fd, self._spare)
        ):
            discard(fd, self._spare)

    def __del__(self) -> None:
        # A net, not the way: who begins a part closes it. An error in between must not keep
        # the slice locked for good. Nor may its file be another part's: who knows who maps it?
        self.is_shared = True
        with contextlib.suppress(AttributeError, OSError):
            self.close()

    def _end(self, phase: PartPhase) -> None:
        self._unlink()
        self.phase = phase
        # If the disk does not even take this, followers see a dead holder.
        with contextlib.suppress(OSError):
            self._show(phase)
        locks.unlock(self.fd)

    def _unlink(self) -> bool:
        """Unlink our own file, while it is locked: a successor may have taken the name. Return
        whether it has only a spare's name now, or none.

        A file that the disk does not remove is left to the orphan sweep: the lock has to go.
        """
        try:
            if locks.is_still(self.fd, self.path):
                keeps = not self._spare and self._spares.wanted and self._is_of_use()
                if not (keeps and self._rename()):
                    os.unlink(self.path)
            if self._spare and not self._is_of_use():
                os.unlink(self._spare)
                self._spare = ""
        except OSError:
            return False
        finally:
            if self.claim is not None:
                self.claim.give()
        return True

    def _rename(self) -> bool:
        """Give the file a spare's name; False when the disk takes none."""
        name = self._spares.new_name()
        try:
            os.rename(self.path, name)
        except OSError:
            return False
        self._spare = name
        return True

    def _is_of_use(self) -> bool:
        """Return whether the file may be another part's when this one ends: it is no slice, and
        no one reads from it.
        """
        is_empty = self.is_inside or not self.written
        return is_empty and not (self._sealed or self.is_shared) and self.body_offset <= PAGE_BYTES

    def _write_meta(self, meta: bytes) -> None:
        if header.meta_checksum(meta) == self._control.meta_checksum:
            return
        self._written_for = USED
        os.pwrite(self.fd, meta, header.CONTROL_BYTES)
        self._update(
            header_bytes=self.body_offset,
            meta_bytes=len(meta),
            meta_checksum=header.meta_checksum(meta),
        )

    def _update(self, **changes: int | bytes) -> None:
        """Rewrite the control block; its phase and written are as followers last saw them."""
        self._written_for = USED
        self._control = header.changed(self._control, self.phase, self.written, **changes)
        os.pwrite(self.fd, self._control.packed()[: header.FOLLOWED_AT], 0)

    def _show(self, phase: PartPhase) -> None:
        """Write the control block, the phase last: who sees it sees all written before it."""
        self.phase = phase
        self._put_word(header.PHASE_AT, (self.n << 32) | phase)

    def _put_word(self, at: int, value: int) -> None:
        self._written_for = USED
        os.pwrite(self.fd, value.to_bytes(8, "little"), at)

    def _checksum(self, length: int) -> int:
        if self._hashed == length:
            return self._digest.intdigest()
        return checksum_of(self.fd, self.body_offset, length)


class Given(Protocol):
    """What a part holds besides its file."""

    def give(self) -> None:
        """Give it back. Idempotent."""


Commit = Callable[[Part, StoredResponse, int, bool], bool]


def _first_control(n: int) -> header.Control:
    return header.Control(header_bytes=0, phase=PartPhase.WAITING_HEAD, n=n)


def _write_first_page(fd: int, n: int) -> header.Control:
    control = _first_control(n)
    os.pwrite(fd, control.packed().ljust(PAGE_BYTES, b"\0"), 0)
    return control


def _from_spare(path: str, n: int, commit: Commit, spares: SpareFiles) -> Part | None:
    """Begin a part in a file that is there already; None when there is none, or another has the
    part.
    """
    spare = spares.take()
    if spare is None:
        return None
    fd, name, written_for, block_bytes = spare
    try:
        if written_for != n:
            _write_first_page(fd, n)
        os.link(name, path)
    except FileExistsError:
        if not spares.keep(fd, name, n, block_bytes):
            discard(fd, name)
        return None
    except OSError:
        discard(fd, name)
        return None
    part = Part(fd, path, n, commit, spares, name)
    part.spare_bytes = max(block_bytes, PAGE_BYTES)
    return part


def begin(path: str, n: int, commit: Commit, spares: SpareFiles) -> Part | Busy:
    """Create and lock the part file at `path`, or say who has it. Raises OSError, or
    SliceTooLarge for a number that no slice can have; then it has left no file.

    What a dead holder left is unlinked, not reused: its followers keep the old file and see by
    its free lock that the holder is dead.
    """
    if not 0 <= n <= MAX_SLICE:
        raise SliceTooLarge(f"a slice number of {n} is beyond what the store can name")
    part = _from_spare(path, n, commit, spares)
    if part is not None:
        return part
    while True:
        try:
            fd = open_file(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            if error.errno not in NOT_A_FILE:
                raise
            remove(path)
            continue
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, fd)
            if not locks.try_lock(fd):
                return Busy(path)
            if locks.is_still(fd, path):
                if os.fstat(fd).st_size == 0:
                    undo.callback(remove, path)  # before it is unlocked: a part is whole or absent
                    part = Part(fd, path, n, commit, spares)
                    undo.pop_all()
                    return part
                os.unlink(path)
