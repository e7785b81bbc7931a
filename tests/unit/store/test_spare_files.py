"""Files of parts that are used again: never under one who still reads from them."""

from __future__ import annotations

import mmap
import os
import shutil
from pathlib import Path

import pytest

from headrace.store import Busy, Part, PartFollower, PartPhase, Store
from headrace.store.layout import SPARES
from headrace.store.spare_files import MOST
from tests.unit.store.samples import (
    a_record,
    a_store,
    body_of,
    fill,
    orphans_swept,
    slice_files,
)


def spares(store: Store) -> list[int]:
    return sorted(path.stat().st_ino for path in (store.path / SPARES).iterdir())


def begun(store: Store, name: bytes) -> Part:
    part = store.begin_part(name, 0)
    assert isinstance(part, Part)
    return part


def inode(part: Part) -> int:
    return os.fstat(part.fd).st_ino


def test_small_fills_use_one_file_over_and_over(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=4096) as store:
        for number in range(5):
            stored = a_record(b"s\nh/%d" % number, version=str(number))
            assert fill(store, stored, b"body%d" % number)
            assert body_of(store, stored) == b"body%d" % number
        assert len(spares(store)) == 1
        assert list(store.parts.iterdir()) == slice_files(tmp_path) == []
    assert list((tmp_path / SPARES).iterdir()) == []


def test_a_slice_may_be_made_of_one(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=100) as store:
        fill(store, a_record(), b"small" * 10)
        assert spares(store) == []  # its record says another length: that is a file
    with a_store(tmp_path, inline_bytes=100) as store:
        small = a_record(b"s\nh/small", version="small", length=50)
        large = a_record(b"s\nh/large", version="large", length=5000)
        fill(store, small, b"small" * 10)
        (number,) = spares(store)
        fill(store, large, b"large" * 1000)
        assert spares(store) == []
        file = next(path for path in slice_files(tmp_path) if path.stat().st_ino == number)
        assert file.stat().st_nlink == 1
        fill(store, a_record(b"s\nh/third", version="third"), b"third")
        assert body_of(store, large) == b"large" * 1000
        assert body_of(store, small) == b"small" * 10


def test_a_part_that_may_not_be_stored_leaves_its_file_to_the_next(store: Store) -> None:
    part = begun(store, b"one")
    part.mark_uncacheable()
    part.close()
    (number,) = spares(store)
    following = begun(store, b"two")
    assert inode(following) == number
    follower = PartFollower.open(following.path)
    assert follower is not None
    assert follower.phase is PartPhase.WAITING_HEAD
    follower.close()
    following.close()


def test_what_is_followed_or_was_is_not_used_again(store: Store) -> None:
    for leaves_first in (True, False):
        part = begun(store, b"one")
        follower = PartFollower.open(part.path)
        assert follower is not None
        if leaves_first:
            follower.close()  # what it has mapped may be sent for long
        part.mark_uncacheable()
        part.close()
        assert spares(store) == []
        if not leaves_first:
            assert follower.poll() is PartPhase.UNCACHEABLE
            follower.close()


def test_a_follower_that_left_is_remembered_to_the_end(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=4096) as store:
        part = begun(store, b"one")
        follower = PartFollower.open(part.path)
        assert follower is not None
        follower.close()
        stored = a_record()
        part.set_head(stored)
        part.write(b"hello", 0)
        part.publish(5)
        assert part.finish(stored, 5)
        part.close()
        assert spares(store) == []
        assert body_of(store, stored) == b"hello"


def test_a_slice_that_was_followed_is_sound(tmp_path: Path) -> None:
    with a_store(tmp_path, checksum_on_open=True) as store:
        part = begun(store, b"one")
        stored = a_record()
        part.set_head(stored)
        part.write(b"hello", 0)
        follower = PartFollower.open(part.path)
        assert follower is not None
        assert part.finish(stored, 5)
        part.close()
        assert follower.poll() is PartPhase.COMPLETE
        follower.close()
        assert body_of(store, stored) == b"hello"


def test_what_is_read_from_here_is_not_used_again(store: Store) -> None:
    part = begun(store, b"one")
    part.is_shared = True
    part.mark_uncacheable()
    part.close()
    assert spares(store) == []


def test_a_part_that_another_has_is_busy_with_a_spare_at_hand(store: Store) -> None:
    for part in [begun(store, b"one"), begun(store, b"two")]:
        part.mark_uncacheable()
        part.close()
    held = begun(store, b"one")
    for _ in range(3):
        assert isinstance(store.begin_part(b"one", 0), Busy)
    assert len(spares(store)) == 2
    held.close()
    following = begun(store, b"one")
    following.close()


@pytest.mark.parametrize("how", ["removed", "dead"])
def test_a_spare_that_is_lost_costs_nothing(store: Store, how: str) -> None:
    part = begun(store, b"one")
    part.mark_uncacheable()
    part.close()
    (path,) = (store.path / SPARES).iterdir()
    if how == "removed":
        path.unlink()
        fill(store, a_record())
        assert body_of(store, a_record()) == b"hello"
    else:
        orphans_swept(store)
        assert path.exists()  # its process lives
        (fd, *_rest) = store.spares.take() or (-1, "", -1, 0)
        os.close(fd)  # as if it did not
        orphans_swept(store)
        assert not path.exists()


def test_their_number_is_bounded(store: Store) -> None:
    parts = [begun(store, b"%d" % number) for number in range(3 * MOST)]
    for part in parts:
        part.mark_uncacheable()
        part.close()
    assert len(spares(store)) == MOST


def test_a_large_one_is_not_kept(store: Store) -> None:
    part = begun(store, b"one")
    part.set_head(a_record())
    part.write(b"x" * 100_000, 0)
    part.fail(b"broken")
    part.close()
    assert spares(store) == []


def test_a_part_that_no_one_closed_leaves_no_spare(store: Store) -> None:
    """Nothing says who has it mapped: in a ring of garbage the file may go before its readers."""
    part = begun(store, b"one")
    seen = memoryview(mmap.mmap(part.fd, 4096, prot=mmap.PROT_READ))
    before = seen.tobytes()
    del part
    assert spares(store) == []
    following = begun(store, b"two")
    following.set_head(a_record())
    assert seen.tobytes() == before
    following.close()


def test_a_disk_that_takes_no_spare_leaves_no_part(store: Store) -> None:
    shutil.rmtree(store.path / SPARES)
    part = begun(store, b"one")
    part.mark_uncacheable()
    part.close()
    assert list(store.parts.iterdir()) == []
    orphans_swept(store)
