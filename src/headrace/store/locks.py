"""Locks on files that belong to the open file, so they die with their holder, and that others can
ask about without taking them (Linux open file description locks, fcntl(2)).
"""

from __future__ import annotations

import fcntl
import os
import struct

from headrace.store.files import open_file

_FLOCK = struct.Struct("hhqqi4x")
# Holders lock all bytes that a file can have; followers share one far behind them.
_BEHIND = 1 << 61
_EXCLUSIVE = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, _BEHIND, 0)
_NONE = _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, 0, _BEHIND, 0)
_FOLLOWER = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, _BEHIND, 1, 0)
_NO_FOLLOWER = _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, _BEHIND, 1, 0)
_ANY_FOLLOWER = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _BEHIND, 1, 0)


def try_lock(fd: int) -> bool:
    """Lock the file of `fd` (open for writing) exclusively; False when another open file has it."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _EXCLUSIVE)
    except (BlockingIOError, PermissionError):
        return False
    return True


def wait_lock(fd: int) -> None:
    """Lock the file of `fd`, waiting for the one who has it."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, _EXCLUSIVE)


def unlock(fd: int) -> None:
    """Give the lock back before `fd` is closed."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _NONE)


def is_locked(fd: int) -> bool:
    """Return whether another open file holds the lock. Takes nothing, so it disturbs no one."""
    return _is_refused(fd, _EXCLUSIVE)


def follow(fd: int) -> None:
    """Show the holder of the file's lock that it is followed."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FOLLOWER)


def unfollow(fd: int) -> None:
    """Stop following. Closing `fd` is not enough: a mapping keeps a descriptor of its own."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _NO_FOLLOWER)


def is_followed(fd: int) -> bool:
    """Return whether another open file of this file follows."""
    return _is_refused(fd, _ANY_FOLLOWER)


def _is_refused(fd: int, wanted: bytes) -> bool:
    """Return whether a lock of another open file is in the way of this one."""
    answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, wanted)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def try_lock_byte(fd: int, at: int) -> bool:
    """Lock one byte of a file as `try_lock` does all of them; the byte need not be there."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def unlock_byte(fd: int, at: int) -> None:
    """Give a byte's lock back."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, at, 1, 0))


def is_byte_locked(fd: int, at: int) -> bool:
    """Return whether another open file holds a byte's lock. Takes nothing."""
    return _is_refused(fd, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0))


def open_lock_file(path: str | os.PathLike[str]) -> int:
    """Return a descriptor to lock `path` with. Raises OSError."""
    return open_file(path, os.O_RDWR | os.O_CREAT)


def is_still(fd: int, path: str | os.PathLike[str]) -> bool:
    """Return whether `path` still names the file that `fd` has open."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)
