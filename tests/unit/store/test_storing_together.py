"""Small responses that are stored together leave what they would have left one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.cache.record import StoredResponse
from headrace.store import Part, PurgeRule, Store, StoreError, StoreSettings
from headrace.store.rows import SliceRow
from headrace.store.transaction import BATCH, Transaction
from tests.unit.store.samples import MIB, a_record, a_store, body_of, find, slice_files

INLINE_BYTES = 16 * 1024


def a_small(name: str, size: int = 5, **changes: Any) -> StoredResponse:
    changes.setdefault("version", name)
    return a_record(b"s\nh/" + name.encode(), length=size, **changes)


def fill_alone(store: Store, stored: StoredResponse) -> None:
    part = store.begin_part(stored.key, 0)
    assert isinstance(part, Part)
    part.hold(stored, memoryview(body(stored)))
    part.finish(stored, stored.length)
    part.close()


def body(stored: StoredResponse) -> bytes:
    return (stored.version * (stored.length // 16 + 1))[: stored.length]


def rows(store: Store) -> list[list[tuple[bytes, bytes]]]:
    with store.index.read() as transaction:
        tables = []
        for table in store.index._tables:
            with transaction.cursor(table) as cursor:
                tables.append([(bytes(key), bytes(value)) for key, value in cursor])
    return tables


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, INLINE_BYTES), min_size=1, max_size=20), max_size=12))
def test_the_index_is_the_same_after_either(batches: list[list[int]]) -> None:
    with (
        TemporaryDirectory() as one, TemporaryDirectory() as other,
        a_store(Path(one), 64 * MIB, inline_bytes=INLINE_BYTES, clock=lambda: 2000.0) as together,
        a_store(Path(other), 64 * MIB, inline_bytes=INLINE_BYTES, clock=lambda: 2000.0) as alone,
    ):  # fmt: skip
        for number, sizes in enumerate(batches):
            records = [a_small(f"{number}-{n}", size) for n, size in enumerate(sizes)]
            finish(together, *records)
            for stored in records:
                fill_alone(alone, stored)
        assert rows(together) == rows(alone)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, INLINE_BYTES), min_size=1, max_size=20), max_size=12))
def test_a_full_store_stays_within_its_bounds(batches: list[list[int]]) -> None:
    with TemporaryDirectory() as path, a_store(Path(path), inline_bytes=INLINE_BYTES) as store:
        records: list[StoredResponse] = []
        for number, sizes in enumerate(batches):
            batch = [a_small(f"{number}-{n}", size) for n, size in enumerate(sizes)]
            finish(store, *batch)
            records += batch
            assert store.stats()["bytes"] <= MIB
        with store.index.read() as transaction, transaction.cursor(store.index.slices) as cursor:
            charged = [SliceRow.unpacked(packed).file_bytes for _key, packed in cursor]
        assert sum(charged) == store.stats()["bytes"]
        for stored in records:
            if find(store, stored) is not None:
                assert body_of(store, stored) == body(stored)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path, 8 * MIB, inline_bytes=INLINE_BYTES) as store:
        yield store


def finish(store: Store, *records: StoredResponse) -> list[bool]:
    done = store.store_together([(stored, body(stored)) for stored in records])
    for stored, is_done in zip(records, done, strict=True):
        if not is_done:
            fill_alone(store, stored)
    return done


def test_one_transaction_is_enough(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    make = Transaction.__init__

    def counted(self: Transaction, *arguments: Any, **named: Any) -> None:
        begun.append(self)
        make(self, *arguments, **named)

    monkeypatch.setattr(Transaction, "__init__", counted)
    records = [a_small(str(n), n) for n in range(BATCH)]
    assert all(finish(store, *records))
    assert len(begun) == 1
    for stored in records:
        assert find(store, stored) == stored
        assert body_of(store, stored) == body(stored)
    assert list(store.parts.iterdir()) == slice_files(store.path) == []


def test_one_that_stands_for_another_takes_its_place(store: Store) -> None:
    old, new = a_small("a", version="old"), a_small("a", version="new")
    finish(store, old, a_small("b"))
    assert finish(store, new, a_small("c")) == [False, True]
    assert find(store, old) == new
    assert body_of(store, old) is None
    assert store.stats()["slices"] == 3


def test_two_of_one_key_at_once_leave_the_second(store: Store) -> None:
    old, new = a_small("a", version="old"), a_small("a", version="new")
    finish(store, old, new)
    assert find(store, old) == new
    assert store.stats()["slices"] == 1


def test_a_purge_since_keeps_out_what_it_hits(store: Store) -> None:
    store.purge(PurgeRule("url", b"s\nh/a", soft=False), durable=False)
    store.purge(PurgeRule("url", b"s\nh/b", soft=True), durable=False)
    hit, soft, other = a_small("a"), a_small("b"), a_small("c")
    assert finish(store, hit, soft, other) == [False, False, False]
    assert find(store, hit) is None
    found = find(store, soft)
    assert found is not None
    assert found != soft
    assert find(store, other) == other


def test_what_has_no_room_inside_gets_a_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoreSettings, "inline_room_bytes", 64 * 1024)
    records = [a_small(str(n), INLINE_BYTES) for n in range(8)]
    finish(store, *records)
    assert 0 < len(slice_files(store.path)) < 8
    assert [body_of(store, stored) for stored in records] == [body(stored) for stored in records]


def test_nothing_of_it_is_stored_when_it_fails(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, done = Transaction.put_record, []

    def fail(self: Transaction, *arguments: Any, **named: Any) -> None:
        done.append(self)
        if len(done) == 3:
            raise StoreError("no more")
        put(self, *arguments, **named)

    monkeypatch.setattr(Transaction, "put_record", fail)
    records = [a_small(str(n)) for n in range(5)]
    with pytest.raises(StoreError):
        finish(store, *records)
    assert [find(store, stored) for stored in records] == [None] * 5
    assert store.stats()["slices"] == 0
