"""Who owns a cache directory: one edge (its supervisor) at a time; and the mark it leaves.

The mark says which format the directory has, under which boot of the operating system it was last
opened, and whether it was closed cleanly since.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import msgspec

from headrace.store import locks
from headrace.store.errors import StoreError, StoreInUse
from headrace.store.files import open_file, own_directory
from headrace.store.layout import CLAIM_LOCK, FORMAT, MARK, OPEN_LOCK, STATE
from headrace.store.shared_memory import is_in_use

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_libc = ctypes.CDLL(None, use_errno=True)


class Mark(msgspec.Struct, frozen=True):
    """What stands in `store.json`."""

    format: int
    boot_id: str
    clean: bool
    opened_at: float = 0.0


def boot_id() -> str:
    """Return an id that differs after every start of the operating system."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def read_mark(path: Path) -> Mark | None:
    """Return the mark, or None when there is none yet.

    Raises StoreError for another format or a foreign file.
    """
    try:
        mark = msgspec.json.decode((path / MARK).read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StoreError(
            f"{path / MARK} is not readable ({error}): remove it and the directory `index` beside "
            "it; the index is rebuilt from the files"
        ) from error
    if mark.format != FORMAT:
        raise StoreError(
            f"{path} was written in store format {mark.format}, this version reads format "
            f"{FORMAT}: choose another cache_dir or remove the directory's contents"
        )
    return mark


def write_mark(path: Path, mark: Mark) -> None:
    """Replace the mark in one step and wait until it is on disk."""
    temporary = path / f"{MARK}.new"
    fd = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(fd, msgspec.json.encode(mark))
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(path / MARK)
    sync_directory(path)


def sync_directory(path: Path) -> None:
    """Wait until the directory's entries are on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class DirectoryLock:
    """The ownership of a cache directory; dies with its process."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> DirectoryLock:
        """Become the owner of the directory at `path`.

        Raises StoreInUse with the owner's process id, StoreError when others can write to the
        directory, or OSError.
        """
        own_directory(path)
        fd = locks.open_lock_file(path / CLAIM_LOCK)
        if not locks.try_lock(fd):
            owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StoreInUse(
                f"{path} belongs to another edge (process {owner}): stop it, or give this one "
                "its own cache_dir"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        return cls(path, fd)

    def release(self, *, clean: bool = True) -> None:
        """Give the directory up; `clean` writes all to disk first and leaves the clean mark, unless
        a process still has the store open: what it writes from now on may not reach the disk.

        Blocks for as long as the disk takes. Idempotent. Raises OSError.
        """
        if self._fd < 0:
            return
        try:
            if clean:
                self._leave_mark()
        finally:
            os.close(self._fd)
            self._fd = -1

    def _leave_mark(self) -> None:
        # Under the lock of those who open the store: to write all takes as long as the disk takes,
        # and one who opened it meanwhile has said that it is not clean.
        lock = locks.open_lock_file(self._path / OPEN_LOCK)
        try:
            if not locks.try_lock(lock):
                return  # one opens it now
            mark = read_mark(self._path)
            opened = mark is not None and mark.boot_id == boot_id()  # since the system's start
            if mark is None or not opened or is_in_use(self._path / STATE):
                return
            if _libc.syncfs(self._fd) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), os.fspath(self._path))
            write_mark(self._path, msgspec.structs.replace(mark, clean=True))
        finally:
            os.close(lock)
