"""Opening finished slices, and not trusting them: size, header and, if asked, the checksum."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import msgspec
import xxhash

from headrace.cache.record import StoredResponse
from headrace.store import header, locks, small_bodies
from headrace.store.checksums import checksum_of
from headrace.store.files import NOT_A_FILE, open_file
from headrace.store.index import Index
from headrace.store.layout import slice_file, slice_key, slot_of
from headrace.store.rows import NO_ROW, SliceRow

REMEMBERED = 65_536
"""Slices that a process remembers to have checked; the rest is checked again."""


FileMark = tuple[int, int]
"""Which file it is and when it was written last: what was checked is no other one now."""


def mark_of(fd: int) -> FileMark:
    """Return what tells one file from its successor. Raises OSError."""
    status = os.fstat(fd)
    return status.st_ino, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class OpenSlice:
    """An open slice file: `length` body bytes from `offset`. The caller closes `fd`.

    `slot` is for `Store.touch`, `checksum` what the header says of the body (`is_body`).
    """

    fd: int
    offset: int
    length: int
    slot: int
    checksum: int

    def is_body(self, body: bytes | bytearray | memoryview) -> bool:
        """Return whether these bytes are the body that was stored."""
        return len(body) == self.length and xxhash.xxh3_64_intdigest(body) == self.checksum


@dataclass(frozen=True, slots=True)
class SmallBody:
    """A whole body that was in the index, verified. `slot` is for `Store.touch`."""

    body: bytes
    slot: int


class Fault(Enum):
    """Why a slice that the index knows cannot be served."""

    MISSING = "missing"
    CORRUPT = "corrupt"


class SliceReader:
    """Opens slices for one process. `on_fault` removes what turned out bad from the index."""

    def __init__(
        self,
        index: Index,
        objects: str,
        *,
        checksum: bool,
        on_fault: Callable[[bytes, SliceRow, Fault], None],
    ) -> None:
        self._index = index
        self._objects = objects
        self._checksum = checksum
        self._on_fault = on_fault
        self._known: dict[bytes, FileMark] = {}

    def open(self, stored: StoredResponse, n: int) -> OpenSlice | SmallBody | None:
        """Return the slice, checked, or None. Raises OSError other than for a missing file."""
        key = slice_key(stored.version, n)
        with self._index.read() as transaction:
            packed = transaction.get(key, None, self._index.slices)
            if packed is None:
                return None
            row = SliceRow.read(packed)
            if row is not None and row.place:
                body = small_bodies.read(
                    transaction, self._index.bodies, key, row.place, row.body_bytes
                )
                if body is not None:
                    return SmallBody(body, slot_of(key))
        if row is None or row.place:
            self._on_fault(key, NO_ROW if row is None else row, Fault.CORRUPT)
            return None
        try:
            fd = _open_to_read(f"{self._objects}/{slice_file(key)}")
        except FileNotFoundError:
            self._on_fault(key, row, Fault.MISSING)
            return None
        except OSError as error:
            if error.errno not in NOT_A_FILE:
                raise
            self._on_fault(key, row, Fault.CORRUPT)
            return None
        try:
            control = self._checked(fd, key, n, row)
        except OSError:
            os.close(fd)
            raise
        if control is None:
            os.close(fd)
            self._known.pop(key, None)
            self._on_fault(key, row, Fault.CORRUPT)
            return None
        return OpenSlice(
            fd, control.header_bytes, row.body_bytes, slot_of(key), control.body_checksum
        )

    def _checked(self, fd: int, key: bytes, n: int, row: SliceRow) -> header.Control | None:
        """Return the control block, or None when the file is not what the index says."""
        found = header.unpack_control(os.pread(fd, header.CONTROL_BYTES, 0))
        if found is None:
            return None
        control, sound = found
        expected = (n, row.body_bytes, control.header_bytes + row.body_bytes)
        status = os.fstat(fd)
        if not sound or (control.n, control.body_bytes, status.st_size) != expected:
            return None
        mark = (status.st_ino, status.st_mtime_ns)
        if self._known.get(key) != mark:
            if not self._is_whole(fd, key, control):
                return None
            self._known[key] = mark
            if len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        return control

    def _is_whole(self, fd: int, key: bytes, control: header.Control) -> bool:
        meta = read_meta(fd, control)
        if meta is None or meta.version != key[:-4]:
            return False
        if not self._checksum:
            return True
        return checksum_of(fd, control.header_bytes, control.body_bytes) == control.body_checksum


def _open_to_read(path: str) -> int:
    """Open a slice's file and show that it is read, until the descriptor and all its copies are
    closed: a mapping has one. Raises OSError.
    """
    fd = open_file(path, os.O_RDONLY)
    try:
        locks.follow(fd)
        if not locks.is_still(fd, path):  # evicted in between: it may be another's already
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def body_is_sound(found: OpenSlice) -> bool:
    """Return whether an open slice's body has the checksum in its header.

    Reads the whole body and touches nothing but the descriptor: for a thread, where the event loop
    must not wait for a disk. Raises OSError.
    """
    unpacked = header.unpack_control(os.pread(found.fd, header.CONTROL_BYTES, 0))
    if unpacked is None:
        return False
    control, sound = unpacked
    return sound and checksum_of(found.fd, found.offset, found.length) == control.body_checksum


def read_meta(fd: int, control: header.Control) -> StoredResponse | None:
    """Return the record in a slice's header; None when it is damaged. Raises OSError."""
    meta = os.pread(fd, control.meta_bytes, header.CONTROL_BYTES)
    if header.meta_checksum(meta) != control.meta_checksum:
        return None
    try:
        return header.decode_record(meta)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
