"""Filling a slice and following who fills it."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import pytest

from headrace.store import Busy, Part, PartFollower, PartPhase, Store, locks
from tests.unit.store.samples import a_record, body_of, find


def begun(store: Store, name: bytes = b"name", n: int = 0) -> Part:
    part = store.begin_part(name, n)
    assert isinstance(part, Part)
    return part


def follower_of(store: Store, name: bytes = b"name", n: int = 0) -> PartFollower:
    busy = store.begin_part(name, n)
    assert isinstance(busy, Busy)
    follower = PartFollower.open(busy.path)
    assert follower is not None
    return follower


def test_one_fills_and_the_next_learns_who(store: Store) -> None:
    part = begun(store)
    assert store.begin_part(b"name", 0) == Busy(part.path)
    part.close()


def test_other_slices_are_free(store: Store) -> None:
    part = begun(store)
    other = begun(store, n=1)
    part.close()
    other.close()


def test_a_follower_sees_head_and_bytes_as_they_come(store: Store) -> None:
    part = begun(store)
    follower = follower_of(store)
    assert (follower.phase, follower.meta) == (PartPhase.WAITING_HEAD, None)
    stored = a_record()
    part.set_head(stored)
    part.write(b"hel", 0)
    part.publish(3)
    assert follower.poll() is PartPhase.BODY
    assert follower.meta == stored
    assert os.pread(follower.fd, follower.written, follower.body_offset) == b"hel"
    follower.close()
    part.close()


def test_a_head_larger_than_a_page_is_followed_and_stored(store: Store) -> None:
    stored = a_record(headers=((b"x-long", b"v" * 10_000),))
    part = begun(store)
    follower = follower_of(store)
    part.set_head(stored)
    part.write(b"hello", 0)
    assert part.finish(stored, 5)
    part.close()
    assert follower.poll() is PartPhase.COMPLETE
    assert follower.meta == stored
    assert follower.body_offset == 12_288
    assert body_of(store, stored) == b"hello"
    follower.close()


def test_a_finished_part_stays_readable_for_both_sides(store: Store) -> None:
    stored = a_record()
    part = begun(store)
    follower = follower_of(store)
    part.set_head(stored)
    part.write(b"hello", 0)
    part.finish(stored, 5)
    assert os.pread(part.fd, 5, part.body_offset) == b"hello"
    follower.poll()
    assert os.pread(follower.fd, follower.written, follower.body_offset) == b"hello"
    follower.close()
    part.close()


def test_a_failure_is_reported_with_its_reason(store: Store) -> None:
    part = begun(store)
    follower = follower_of(store)
    part.fail(b"origin_timeout")
    assert follower.poll() is PartPhase.FAILED
    assert follower.reason == b"origin_timeout"
    assert follower.alive()
    follower.close()
    part.close()


def test_an_uncacheable_response_is_reported(store: Store) -> None:
    part = begun(store)
    follower = follower_of(store)
    part.mark_uncacheable()
    assert follower.poll() is PartPhase.UNCACHEABLE
    follower.close()
    part.close()


@pytest.mark.parametrize("end", ["fail", "mark_uncacheable", "abandon"])
def test_after_any_other_end_the_part_can_be_begun_again(store: Store, end: str) -> None:
    part = begun(store)
    part.fail(b"x") if end == "fail" else getattr(part, end)()
    again = begun(store)
    part.close()
    assert os.path.exists(again.path)
    again.close()


def test_a_dead_holder_is_noticed_without_its_word(store: Store) -> None:
    part = begun(store)
    follower = follower_of(store)
    assert follower.alive()
    locks.unlock(part.fd)  # what the kernel does for a killed process
    assert not follower.alive()
    follower.close()
    part.close()


def test_what_a_dead_holder_left_is_replaced_and_not_reused(store: Store) -> None:
    dead = begun(store)
    dead.set_head(a_record())
    follower = follower_of(store)
    locks.unlock(dead.fd)
    assert dead.claim is not None
    dead.claim.give()
    successor = begun(store)
    assert not follower.alive()
    assert os.fstat(successor.fd).st_ino != os.fstat(follower.fd).st_ino
    follower.close()
    dead.close()
    assert os.path.exists(successor.path)
    successor.close()


def test_following_a_part_that_is_gone_says_so(tmp_path: Path) -> None:
    assert PartFollower.open(str(tmp_path / "gone")) is None


def test_bytes_written_out_of_order_are_stored_in_order(store: Store) -> None:
    stored = a_record()
    part = begun(store)
    part.set_head(stored)
    part.write(b"lo", 3)
    part.write(b"hel", 0)
    assert part.finish(stored, 5)
    part.close()
    assert body_of(store, stored) == b"hello"


def test_space_reserved_beyond_the_body_is_cut_off(store: Store) -> None:
    stored = a_record()
    part = begun(store)
    part.set_head(stored)
    os.ftruncate(part.fd, part.body_offset + 50_000)
    part.write(b"hello", 0)
    assert part.finish(stored, 5)
    part.close()
    assert body_of(store, stored) == b"hello"


def test_an_unknown_length_is_learned_from_the_last_slice(store: Store) -> None:
    stored = a_record(length=-1)
    for n, (body, last) in enumerate([(b"x" * stored.slice_bytes, False), (b"end", True)]):
        part = begun(store, stored.version, n)
        part.set_head(stored)
        part.write(body, 0)
        assert part.finish(stored, len(body), record=last)
        part.close()
        found = find(store, stored)
        assert (found is not None) is last
    assert found is not None
    assert found.length == stored.slice_bytes + 3
    assert store.slices(found) == [0, 1]


def test_a_part_that_a_full_disk_refuses_closes_no_one_elses_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", refused)
        with pytest.raises(OSError, match="No space") as caught:
            store.begin_part(b"name", 0)
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]  # one has the number it had
    del caught  # it held the part, as an answer that is kept in memory instead does
    gc.collect()
    for other in others:
        os.close(other)


@pytest.mark.parametrize("ends", ["fail", "close"])
def test_a_disk_that_removes_nothing_keeps_no_slice_locked(
    store: Store, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    part = begun(store)
    with monkeypatch.context() as patched:
        patched.setattr("headrace.store.part.os.unlink", refuse)
        patched.setattr("headrace.store.locks.is_still", refuse)
        if ends == "fail":
            part.fail(b"store_failed")
        part.close()
    assert part.fd == -1
    begun(store).close()
