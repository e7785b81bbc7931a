"""The last good description, kept on disk: what a node starts with when its file is wrong.

It is the snapshot, so it has everything it needs; files of prefixes may be gone. It is replaced
whole, and taken only when it is whole and nobody else can have written it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.node.network.files import NoFileError, opened
from headrace.topology.model import Topology
from headrace.topology.snapshot import check, topology_of

NAME = "network.last-good"
LARGEST_BYTES = 2 * 1024**3
_CHUNK_BYTES = 1024**2


class LastGoodError(HeadraceError):
    """A last good description that cannot be used."""


def keep_last_good(path: Path, descriptor: int) -> None:
    """Keep the snapshot in `descriptor`; it is on the disk when this returns. Raises OSError."""
    new = path.with_name(path.name + ".new")
    try:
        _write_whole(new, descriptor)
        new.rename(path)
    except OSError:
        with contextlib.suppress(OSError):  # on a full disk it would take the rest
            new.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write_whole(new: Path, descriptor: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(new, flags, 0o600)
    try:
        at = 0
        while part := os.pread(descriptor, _CHUNK_BYTES, at):
            at += len(part)
            view = memoryview(part)
            while view:
                view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def read_last_good(path: Path) -> Topology:
    """Return the description that was kept. Raises HeadraceError or OSError."""
    try:
        file = opened(path, os.O_NOFOLLOW)
    except NoFileError as error:
        raise LastGoodError(f"{path} is no file that was kept here: remove it") from error
    with file:
        found = os.fstat(file.fileno())
        if found.st_size > LARGEST_BYTES:
            raise LastGoodError(f"{path} is no file that was kept here: remove it")
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise LastGoodError(f"{path} can be written to by others: remove it")
        data = memoryview(file.read())
    check(data)
    return topology_of(data)
