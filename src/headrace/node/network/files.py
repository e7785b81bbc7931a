"""Files that others write: whether they are still those that were read, by what `stat` says of
them, at no cost; and how one is opened, whatever it is, without ever waiting.
"""

from __future__ import annotations

import errno
import os
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

Signature = tuple[int, int, int, int]
"""Device, inode, size and time of change (ns)."""

Signatures = dict[str, Signature | None]
"""By path; None for a file that cannot be found."""

MOST_FILES = 10_000
LARGEST_DESCRIPTION_BYTES = 64 * 1024**2


class NoFileError(OSError):
    """What has the name of a file is none: a directory, a pipe, a device."""


def opened(path: Path, flags: int = 0) -> BinaryIO:
    """Return a file to read. Raises OSError; NoFileError for what is no file."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    raise NoFileError(errno.EINVAL, "is no file")


def signature_of(path: str | Path) -> Signature | None:
    """Return what tells a file from what was there before."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def signatures_of(paths: Iterable[str | Path]) -> Signatures:
    """Return the same of several files."""
    return {str(path): signature_of(path) for path in paths}


def files_of(description: Path) -> list[Path]:
    """Return the files that a description consists of: itself, and those of prefixes it names,
    learnt ones too.

    One that cannot be read names none.
    """
    found = [description]
    try:
        with opened(description) as file:
            data = file.read(LARGEST_DESCRIPTION_BYTES + 1)
        if len(data) > LARGEST_DESCRIPTION_BYTES:
            return found
        document = tomllib.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return found
    base = description.absolute().parent
    for key in ("network", "coverage"):
        tables: Any = document.get(key)
        for table in tables if isinstance(tables, list) else []:
            found += [base / name for name in _files_in(table)]
    return list(dict.fromkeys(found))[:MOST_FILES]


def _files_in(table: Any) -> list[str]:
    """Return the names of files that a table has, whatever it is."""
    if not isinstance(table, dict):
        return []
    learnt = table.get("learnt")
    names = [table.get("prefix_file"), learnt.get("file") if isinstance(learnt, dict) else None]
    return [name for name in names if isinstance(name, str) and "\0" not in name]
