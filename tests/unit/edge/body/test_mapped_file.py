"""Bodies on file systems of every kind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from headrace.edge.body.mapped_file import MappedBody, read_at_once

PLAIN = os.preadv


def cannot_tell(fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
    if flags & os.RWF_NOWAIT:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")
    return PLAIN(fd, buffers, offset)


def test_a_file_system_that_cannot_tell_what_is_in_memory_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"headbody")
    monkeypatch.setattr(os, "preadv", cannot_tell)
    damage: list[str] = []
    body = MappedBody(os.open(path, os.O_RDONLY), 4, 4, on_damage=damage.append)
    assert (body.copy(), damage) == (b"body", [])


def test_other_failures_to_read_are_reported(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        read_at_once(fd, bytearray(4), 0)
    os.close(fd)
