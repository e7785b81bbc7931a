"""The store stays within its bytes, and keeps what is asked for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from headrace.store import SliceTooLarge, Store
from headrace.store.layout import STATE, digest
from headrace.store.maintenance import sweep
from headrace.store.shared_memory import SharedState
from tests.unit.store.samples import a_record, a_store, body_of, fill, find, slice_files, swept

PAGE = 4096


def fill_many(store: Store, count: int) -> None:
    for number in range(count):
        fill(store, a_record(b"s\nh/%d" % number, version=str(number), tags=(b"t" * 900,)))


def test_bytes_stay_within_the_size_after_every_commit(tmp_path: Path) -> None:
    with a_store(tmp_path, size_bytes=10 * 2 * PAGE) as store:
        for number in range(40):
            fill(store, a_record(b"s\nh/%d" % number, version=str(number)))
            assert store.stats()["bytes"] <= 20 * PAGE
        assert len(slice_files(tmp_path)) == 10
        assert store.stats()["bytes"] == sum(
            -(-file.stat().st_size // PAGE) * PAGE for file in slice_files(tmp_path)
        )


def test_a_process_is_told_at_once_which_slices_it_has_removed(tmp_path: Path) -> None:
    told: list[tuple[bytes, int]] = []
    with a_store(tmp_path, size_bytes=10 * 2 * PAGE) as store:
        store.on_removed = told.extend
        for number in range(30):
            fill(store, a_record(b"s\nh/%d" % number, version=str(number)))
        records = [a_record(b"s\nh/%d" % number, version=str(number)) for number in range(30)]
        gone = [(stored.version, 0) for stored in records if not store.slices(stored)]
        assert len(gone) == 20
        assert sorted(told) == sorted(gone)


def test_what_is_hit_outlives_what_is_not(tmp_path: Path) -> None:
    popular = a_record(b"s\nh/popular", version="popular")
    with a_store(tmp_path, size_bytes=20 * 2 * PAGE) as store:
        fill(store, popular)
        for number in range(200):
            store.touch(store.slot(popular.version, 0))
            fill(store, a_record(b"s\nh/%d" % number, version=str(number)))
        assert find(store, popular) == popular
        assert body_of(store, popular) == b"hello"


def test_a_record_goes_with_its_last_slice(tmp_path: Path) -> None:
    with a_store(tmp_path, size_bytes=4 * 2 * PAGE) as store:
        for number in range(20):
            fill(store, a_record(b"s\nh/%d" % number, version=str(number)))
        first = a_record(b"s\nh/0", version="0")
        assert find(store, first) is None
        assert store.vary_of(digest(first.key)) is None
        assert store.stats()["objects"] == 4


def test_a_slice_of_more_than_half_the_store_is_refused_and_nothing_else_lost(
    tmp_path: Path,
) -> None:
    kept = a_record()
    with a_store(tmp_path, size_bytes=16 * PAGE) as store:
        fill(store, kept)
        with pytest.raises(SliceTooLarge):
            fill(store, a_record(b"s\nh/big", version="big"), b"x" * 9 * PAGE)
        assert body_of(store, kept) == b"hello"


def test_an_object_larger_than_the_store_leaves_it_whole_and_bounded(tmp_path: Path) -> None:
    large = a_record(b"s\nh/large", version="large", length=100 * PAGE)
    with a_store(tmp_path, size_bytes=16 * PAGE) as store:
        for n in range(100):
            fill(store, large, b"x" * PAGE, n=n)
            assert store.stats()["bytes"] <= 16 * PAGE
        for n in store.slices(large):
            assert body_of(store, large, n) == b"x" * PAGE


def test_a_large_slice_drives_many_small_ones_out(tmp_path: Path) -> None:
    with a_store(tmp_path, size_bytes=400 * 2 * PAGE) as store:
        for number in range(400):
            fill(store, a_record(b"s\nh/%d" % number, version=str(number)))
        large = a_record(b"s\nh/large", version="large")
        assert fill(store, large, b"x" * 399 * PAGE)
        assert store.stats()["bytes"] <= 800 * PAGE
        assert body_of(store, large) == b"x" * 399 * PAGE


def test_records_without_a_body_are_bounded_too(tmp_path: Path) -> None:
    with a_store(tmp_path, size_bytes=10 * PAGE) as store:
        for number in range(50):
            stored = a_record(b"s\nh/%d" % number, version=str(number))
            store.record(stored, digest(stored.key))
        assert store.stats()["objects"] == 10


def test_an_index_that_is_full_makes_room_and_takes_the_new(tmp_path: Path) -> None:
    with a_store(tmp_path, map_bytes=800 * 1024, size_bytes=2**30) as store:
        fill_many(store, 2000)
        kept = a_record()
        fill(store, kept)
        assert find(store, kept) == kept
        assert body_of(store, kept) == b"hello"
        assert (store.stats()["index_full"], store.stats()["evictions"] > 0) == (0, True)
        assert list((tmp_path / "parts").iterdir()) == []


def test_a_lowered_size_is_reached_by_the_sweep_and_never_grows(tmp_path: Path) -> None:
    with a_store(tmp_path, size_bytes=400 * 2 * PAGE) as store:
        for number in range(400):
            fill(store, a_record(b"s\nh/%d" % number, version=str(number)))
        before = store.stats()["bytes"]
    with a_store(tmp_path, size_bytes=10 * 2 * PAGE) as store:
        fill(store, a_record(b"s\nh/new", version="new"))
        assert store.stats()["bytes"] <= before
        swept(store)
        assert store.stats()["bytes"] <= 20 * PAGE


def another_process(path: Path) -> SharedState:
    """The part of one that tells what it holds."""
    state = SharedState(path / STATE)
    state.claim_holder()
    return state


def test_what_processes_hold_besides_is_part_of_the_bound(tmp_path: Path) -> None:
    with a_store(tmp_path, size_bytes=400 * 2 * PAGE) as store:
        other = another_process(tmp_path)
        fill_many(store, 500)
        assert store.stats()["bytes"] == 400 * 2 * PAGE
        other.publish_held(100 * 2 * PAGE)
        swept(store)
        assert store.stats()["bytes"] == 300 * 2 * PAGE
        fill_many(store, 50)
        assert store.stats()["bytes"] <= 300 * 2 * PAGE
        other.publish_held(2**40)  # however much: half of it is for slices
        assert store.is_overheld()
        assert store.room_bytes() == 200 * 2 * PAGE
        other.close()
    with a_store(tmp_path) as store:
        assert store.state.held_bytes() == 0


def test_what_a_dead_process_held_is_forgotten(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        child = os.fork()
        if not child:
            another_process(tmp_path).publish_held(12345)
            os._exit(0)
        os.waitpid(child, 0)
        assert store.state.held_bytes() == 12345
        sweep.step(store, 10, now=time.time())
        assert store.state.held_bytes() == 0
