"""A store whose disk has no room for its index says which file needs how much."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from headrace.store import StoreFull
from tests.unit.store.samples import MIB, a_store


def full_disk(monkeypatch: pytest.MonkeyPatch, room_bytes: int) -> None:
    """Let files have no more room on disk than this."""
    reserve = os.posix_fallocate

    def refuse(descriptor: int, offset: int, size: int) -> None:
        if size > room_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        reserve(descriptor, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", refuse)


def test_the_index_that_finds_no_room_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, room_bytes=10 * MIB)
    wanted = r"/index needs \d+ MiB on disk: No space left"
    with pytest.raises(StoreFull, match=wanted), a_store(tmp_path):
        pass


def test_the_shared_state_that_finds_no_room_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, room_bytes=0)
    wanted = r"No space left .* needs 9 MiB on disk; free some: '.*/state'"
    with pytest.raises(OSError, match=wanted), a_store(tmp_path):
        pass
