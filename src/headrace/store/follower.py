"""Reading a slice while another process (or this one) still writes it."""

from __future__ import annotations

import os

import msgspec

from headrace.cache.record import StoredResponse
from headrace.store import header, locks
from headrace.store.files import open_file
from headrace.store.phases import FINAL, PartPhase


class PartFollower:
    """A part seen from outside. Its fields are as of the last `poll` (`open` polls once).

    `fd` is open for reading and writing (to ask about the lock); body bytes begin at `body_offset`
    and the first `written` are there. `meta` is the head given to `set_head`, None before.
    """

    __slots__ = ("body_offset", "fd", "meta", "path", "phase", "reason", "written")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.phase = PartPhase.WAITING_HEAD
        self.written = 0
        self.body_offset = 0
        self.meta: StoredResponse | None = None
        self.reason = b""

    @classmethod
    def open(cls, path: str) -> PartFollower | None:
        """Follow the part at `path`; None when it is gone (finished or given up), or is what a dead
        holder left: look it up again.

        Raises OSError.
        """
        try:
            fd = open_file(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        follower = cls(path, fd)
        try:
            locks.follow(fd)
            if not locks.is_still(fd, path):
                # It ended in between, and its file may be another part's already.
                follower.close()
                return None
            os.pwrite(fd, b"\1", header.FOLLOWED_AT)
            follower.poll()
            if not follower.alive():
                follower.close()
                return None
        except BaseException:
            os.close(fd)
            raise
        return follower

    def poll(self) -> PartPhase:
        """Read the control block again: one system call, about 4 µs. Raises OSError.

        The bytes behind `written` are there when the holder is alive, and also when it is dead.
        """
        found = header.unpack_control(os.pread(self.fd, header.CONTROL_BYTES, 0))
        if found is None:
            return self.phase  # its holder has not written the first page yet
        control, _ = found
        phase = PartPhase(control.phase)
        if self.meta is None and control.meta_bytes and phase is not PartPhase.WAITING_HEAD:
            self.meta = self._read_meta(control)
            if self.meta is None:
                return self.phase
            self.body_offset = control.header_bytes
        if phase in FINAL and self.phase not in FINAL:
            # The block was read while it was written: `written` may be older than the phase that
            # stands behind it. Nothing changes after a final phase.
            again = header.unpack_control(os.pread(self.fd, header.CONTROL_BYTES, 0))
            if again is not None:
                control, _ = again
        self.reason = control.reason
        self.written = control.written
        self.phase = phase
        return phase

    def _read_meta(self, control: header.Control) -> StoredResponse | None:
        meta = os.pread(self.fd, control.meta_bytes, header.CONTROL_BYTES)
        if header.meta_checksum(meta) != control.meta_checksum:
            return None  # `finish` is rewriting it: the next poll reads it whole
        try:
            return header.decode_record(meta)
        except msgspec.DecodeError:
            return None

    def alive(self) -> bool:
        """Return False when the holder died or gave up without a final phase (about 3 µs).

        It asks for the lock without taking it, so it can never stand in the way of the one who
        begins the part again.
        """
        if self.phase in FINAL or locks.is_locked(self.fd):
            return True
        # The holder may have reached its final phase and unlocked since our last poll.
        return self.poll() in FINAL

    def close(self) -> None:
        """Close the descriptor. Idempotent."""
        if self.fd >= 0:
            locks.unfollow(self.fd)
            os.close(self.fd)
            self.fd = -1
