"""A large slice in the place of many small ones: a few at a time, and never far above the size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.store import Part, Store, StoreSettings
from headrace.store.errors import IndexDamaged
from headrace.store.maintenance import sweep
from headrace.store.trimming import trim
from tests.unit.store.samples import MIB, a_record, a_store, body_of, fill, find, slice_files

PAGE = 4096
BATCH = 2
LARGE = b"x" * (100 * 1024)
"""As much as thirteen of the small ones take."""


class Told:
    """How often the store said that it is behind."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store of 1 MiB, which small slices have filled, and whose batches are small."""
    monkeypatch.setattr("headrace.store.transaction.BATCH", BATCH)
    with a_store(tmp_path) as store:
        for number in range(130):
            assert fill(store, a_record(b"s\nh/%d" % number, version=str(number)))
        assert store.stats()["bytes"] == MIB
        yield store


def evicted(store: Store) -> int:
    return store.stats()["evictions"]


def most_bytes(store: Store) -> int:
    return MIB + store.settings.overshoot_bytes


def large(number: int) -> bytes:
    return b"s\nh/large/%d" % number


def test_a_commit_evicts_a_few_and_the_rest_goes_later(store: Store) -> None:
    store.committer.on_behind = told = Told()
    before = evicted(store)
    kept = a_record(large(0), version="large0")
    assert fill(store, kept, LARGE)
    assert evicted(store) - before == 2 * BATCH
    assert MIB < store.stats()["bytes"] <= most_bytes(store)
    assert told.times == 1
    more = True
    while more:
        before = evicted(store)
        more = trim(store)
        assert evicted(store) - before <= BATCH
    assert store.stats()["bytes"] <= MIB
    assert store.stats()["bytes"] == sum(
        -(-file.stat().st_size // PAGE) * PAGE for file in slice_files(store.path)
    )
    assert body_of(store, kept) == LARGE
    assert not trim(store)


def test_the_sweep_does_what_is_left_by_who_died(store: Store) -> None:
    fill(store, a_record(large(0), version="large0"), LARGE)
    while sweep.step(store, 100, now=0.0):
        pass
    assert store.stats()["bytes"] <= MIB


def test_many_at_once_never_pass_the_bound_and_what_is_refused_leaves_nothing(
    store: Store,
) -> None:
    store.committer.on_behind = told = Told()
    records = [a_record(large(number), version=f"large{number}") for number in range(12)]
    parts = []
    for number, stored in enumerate(records):  # all are in flight before one ends
        part = store.begin_part(b"large%d" % number, 0)
        assert isinstance(part, Part)
        part.set_head(stored)
        part.write(LARGE, 0)
        parts.append(part)
    stored_now = []
    for part, stored in zip(parts, records, strict=True):
        before = evicted(store)
        if part.finish(stored, len(LARGE)):
            stored_now.append(stored)
        assert evicted(store) - before <= 2 * BATCH
        assert store.stats()["bytes"] <= most_bytes(store)
        part.close()
    assert 0 < len(stored_now) < len(records)
    assert told.times == len(records)
    for stored in records:
        assert (find(store, stored) is not None) == (stored in stored_now)
    assert store.stats()["refused"] == len(records) - len(stored_now)
    while trim(store):
        pass
    assert store.stats()["bytes"] == sum(
        -(-file.stat().st_size // PAGE) * PAGE for file in slice_files(store.path)
    )


def test_a_slice_that_is_refused_in_place_of_itself_leaves_no_record_without_a_body(
    store: Store,
) -> None:
    kept = a_record(b"s\nh/again", version="again0")
    assert fill(store, kept)
    assert fill(store, a_record(large(0), version="large0"), LARGE)
    assert not fill(store, kept, LARGE)
    assert find(store, kept) is None
    assert not store.has_slice(kept.version, 0)


def test_what_is_larger_than_the_bound_takes_all_it_needs(store: Store) -> None:
    body = b"x" * (store.settings.overshoot_bytes + 1)
    assert fill(store, a_record(large(0), version="large0"), body)
    assert store.stats()["bytes"] <= MIB


def test_the_bound_is_of_the_stores_size() -> None:
    def bound(size_bytes: int, slice_bytes: int = 8 * MIB) -> int:
        return StoreSettings(size_bytes, slice_bytes).overshoot_bytes

    assert bound(MIB) == MIB // 8
    assert bound(1024 * MIB) == 16 * MIB
    assert bound(2048 * MIB) == 32 * MIB
    assert bound(10**13) == 64 * MIB


def test_a_damaged_index_is_told_of(store: Store) -> None:
    with store.index.env.begin(write=True) as transaction:
        transaction.put(b"totals", b"?", db=store.index.meta)
    with pytest.raises(IndexDamaged):
        trim(store)
