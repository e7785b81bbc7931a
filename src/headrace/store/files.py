"""Opening and removing files of a cache directory without trusting what lies there.

Who could once write into the directory may have left a link, a pipe or a directory under a
name of ours. None of them is followed, waited for or believed: it counts as damaged, and goes.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

from headrace.ownership import foreign
from headrace.store.errors import StoreError

_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
NOT_A_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENOTDIR, errno.ENODEV)
"""The errors of opening a link, a directory or a socket; `open_file` adds ENODEV for the rest."""


def open_file(path: str | os.PathLike[str], flags: int) -> int:
    """Return a descriptor of a regular file; a new one is its owner's alone.

    Raises OSError, with a number of NOT_A_FILE for what is not a regular file.
    """
    fd = os.open(path, flags | _SAFE, 0o600)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.ENODEV, "not a regular file", os.fspath(path))


def remove(path: str | os.PathLike[str]) -> None:
    """Remove whatever is there: a file, a link, or a directory that has no business there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise
        shutil.rmtree(path, ignore_errors=True)


def own_directory(path: Path) -> None:
    """Ensure that `path` is a directory that only this user can write to; make it if need be.

    Who can write there can have the edge serve anything as anyone's. Raises StoreError or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    problem = foreign(path)
    if problem is not None:
        raise StoreError("{}: {}".format(*problem))


def link(source: str, target: str) -> None:
    """Give a finished part its lasting name. Raises OSError.

    It keeps the part's name too until the index knows of it: who looks the slice up in between
    finds the part still held, and not a gap to fill again.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        remove(target)
        os.link(source, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.link(source, target)
