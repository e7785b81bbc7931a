"""Small bodies in the index: served like files, bounded, and gone when their slice is."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.store import Part, PurgeRule, SmallBody, Store, StoreFull, small_bodies
from headrace.store.index import Totals
from headrace.store.layout import PAGE_BYTES, digest, slice_file, slice_key
from headrace.store.rows import SliceRow
from headrace.store.transaction import Transaction
from tests.unit.store.samples import (
    KEY,
    MIB,
    a_record,
    a_store,
    body_of,
    fill,
    find,
    orphans_swept,
    slice_files,
    swept,
    version_of,
)

SMALL_BYTES = 16 * 1024


def a_small(name: str, body: bytes) -> dict[str, object]:
    return {"key": b"s\nh/" + name.encode(), "version": name, "length": len(body)}


def fill_small(store: Store, name: str, body: bytes) -> bool:
    return fill(store, a_record(**a_small(name, body)), body)  # type: ignore[arg-type]


def small_of(store: Store, name: str) -> bytes | None:
    found = store.lookup(digest(b"s\nh/" + name.encode()), b"")
    return None if found is None else body_of(store, found)


def rows_of_bodies(store: Store) -> int:
    return store.index.entries(store.index.bodies)


@pytest.mark.parametrize("size", [0, 1, 5, 1024, 2000, 2037, 4071, 4072, 4073, 8152, SMALL_BYTES])
def test_a_small_body_needs_no_file(tmp_path: Path, size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        stored = a_record(length=size)
        assert fill(store, stored, body)
        assert slice_files(tmp_path) == list((tmp_path / "parts").iterdir()) == []
        assert isinstance(store.open_slice(stored, 0), SmallBody)
        assert body_of(store, stored) == body
        assert store.slices(stored) == [0]
        (variant,) = store.inspect(digest(KEY))
        assert variant["slices"] == [
            {"n": 0, "bytes": size, "file_bytes": small_bodies.charge_bytes(size)}
        ]
    with a_store(tmp_path) as store:  # and it is still there when no more are put there
        assert body_of(store, stored) == body


def test_what_is_larger_or_only_a_part_is_a_file(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=100) as store:
        large = a_record(b"s\nh/large", version="large", length=101)
        assert fill(store, large, b"x" * 101)
        parted = a_record(b"s\nh/parted", version="parted", length=100_000)
        assert fill(store, parted, b"y", n=1)
        assert len(slice_files(tmp_path)) == 2
        assert rows_of_bodies(store) == 0
        assert (body_of(store, large), body_of(store, parted, 1)) == (b"x" * 101, b"y")


def test_a_damaged_body_is_not_served_and_leaves(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored)
        with store.index.write() as change:
            key, value = change.first_from(store.index.bodies, b"") or (b"", b"")
            change.put(store.index.bodies, key, value[:-1] + b"?")
        assert store.open_slice(stored, 0) is None
        assert find(store, stored) is None
        assert rows_of_bodies(store) == 0
        assert (store.stats()["corrupt"], store.stats()["bytes"]) == (1, 0)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_body_with_a_lost_piece_is_not_served(tmp_path: Path, lost: int) -> None:
    stored = a_record(length=10_000)
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored, b"x" * 10_000)
        with store.index.write() as change:
            key, _ = change.first_from(store.index.bodies, b"") or (b"", b"")
            change.remove(store.index.bodies, key[:-1] + bytes((lost,)))
        assert store.open_slice(stored, 0) is None
        assert rows_of_bodies(store) == 0


def test_a_row_that_says_what_cannot_be_costs_one_fill(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored)
        key = slice_key(stored.version, 0)
        with store.index.write() as change:
            row = SliceRow.unpacked(change.get(store.index.slices, key) or b"")
            wrong = SliceRow(
                row.file_bytes, 2**63, row.record_key, row.queue, row.position, row.place
            )
            change.put(store.index.slices, key, wrong.packed())
        assert store.open_slice(stored, 0) is None
        assert find(store, stored) is None
        assert fill(store, stored)
        assert body_of(store, stored) == b"hello"


def test_a_row_that_names_another_bodys_place_serves_no_one_elses(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill_small(store, "mine", b"mine!")
        fill_small(store, "other", b"other")
        rows = [slice_key(version_of(name), 0) for name in ("mine", "other")]
        with store.index.write() as change:
            mine, other = (
                SliceRow.unpacked(change.get(store.index.slices, key) or b"") for key in rows
            )
            change.put(store.index.slices, rows[0], replace(mine, place=other.place).packed())
        assert small_of(store, "mine") is None
        assert store.stats()["corrupt"] == 1


def test_an_index_that_is_full_at_the_last_row_has_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_: object) -> None:
        raise lmdb.MapFullError("as if the map were full")

    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill_small(store, "before", b"before")
        stats = store.stats()
        stored = a_record(**a_small("one", b"body"))  # type: ignore[arg-type]
        part = store.begin_part(stored.version, 0)
        assert isinstance(part, Part)
        part.set_head(stored)
        part.write(b"body", 0)
        with monkeypatch.context() as patched:
            patched.setattr(Transaction, "put_record", is_full)
            with pytest.raises(StoreFull):
                part.finish(stored, 4)
        part.fail(b"full")
        assert not part.is_inside
        part.close()
        assert store.stats() == {**stats, "index_full": 1}
        assert rows_of_bodies(store) == 1
        assert list(store.parts.iterdir()) == slice_files(tmp_path) == []
        fill_small(store, "one", b"body")
        assert (small_of(store, "before"), small_of(store, "one")) == (b"before", b"body")


@pytest.mark.parametrize("said", [1, 5000])
def test_a_row_that_says_too_little_leaves_no_piece_behind(tmp_path: Path, said: int) -> None:
    stored = a_record(length=9000)
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored, b"x" * 9000)
        key = slice_key(stored.version, 0)
        with store.index.write() as change:
            row = SliceRow.unpacked(change.get(store.index.slices, key) or b"")
            change.put(store.index.slices, key, replace(row, body_bytes=said).packed())
        assert store.open_slice(stored, 0) is None
        assert rows_of_bodies(store) == 0


def test_each_may_take_the_others_place(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        assert len(slice_files(tmp_path)) == 1
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored, b"other")
        assert slice_files(tmp_path) == []
        assert body_of(store, stored) == b"other"
        assert store.stats()["bytes"] == small_bodies.charge_bytes(5)
    with a_store(tmp_path) as store:
        fill(store, stored, b"third")
        assert len(slice_files(tmp_path)) == 1
        assert body_of(store, stored) == b"third"
        assert (store.stats()["bytes"], store.stats()["inline_bytes"]) == (2 * PAGE_BYTES, 0)
        assert rows_of_bodies(store) == 0


def test_a_file_that_a_body_in_the_index_stands_for_is_an_orphan(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored)
        left = Path(store.objects, slice_file(slice_key(stored.version, 0)))
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"as a process leaves it that dies between the commit and the unlink")
        orphans_swept(store)
        assert not left.exists()
        assert body_of(store, stored) == b"hello"


@pytest.mark.parametrize("how", ["purge", "delete", "replace", "evict"])
def test_the_rows_leave_with_their_slice(tmp_path: Path, how: str) -> None:
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        stored = a_record(length=9000)
        fill(store, stored, b"x" * 9000)
        assert rows_of_bodies(store) == 3
        match how:
            case "purge":
                store.purge(PurgeRule("all", b""), durable=False)
                swept(store)
            case "delete":
                store.delete(stored)
            case "replace":
                fill(store, a_record(version="two", response_time=1001.0, length=0), b"")
            case "evict":
                with store.transaction() as transaction:
                    while transaction._evict_one():
                        pass
        left = 1 if how == "replace" else 0
        assert rows_of_bodies(store) == left
        charged = small_bodies.charge_bytes(0) if left else 0
        assert store.stats()["inline_bytes"] == store.stats()["bytes"] == charged


def test_small_bodies_beyond_their_share_become_files(tmp_path: Path) -> None:
    with a_store(tmp_path, size_bytes=4 * MIB, inline_bytes=SMALL_BYTES) as store:
        for number in range(400):
            fill_small(store, str(number), b"%d" % number + b"x" * 10_000)
            with store.index.read() as transaction:
                pages = store.index.body_page_bytes(transaction)
            assert pages <= store.settings.inline_room_bytes == MIB
            assert store.stats()["bytes"] <= 4 * MIB
        assert pages > MIB // 2
        assert len(slice_files(tmp_path)) > 50
        served = [number for number in range(400) if small_of(store, str(number)) is not None]
        assert len(served) > 200
        for number in served:
            assert small_of(store, str(number)) == b"%d" % number + b"x" * 10_000


def test_a_flood_of_small_ones_leaves_the_disk_within_the_size(tmp_path: Path) -> None:
    """Also afterwards: the index's file keeps the pages that small bodies once had."""
    size_bytes = 16 * MIB
    with a_store(
        tmp_path, size_bytes=size_bytes, inline_bytes=SMALL_BYTES, map_bytes=24 * MIB
    ) as store:
        assert store.settings.inline_room_bytes == 4 * MIB
        most = size_bytes + store.settings.index_bytes + 16 * PAGE_BYTES
        for number in range(2000):
            fill_small(store, str(number), b"x" * (number * 7 % 6000))
            if number % 250 == 249:
                assert disk_bytes(store) <= most
        for number in range(100):
            large = a_record(b"s\nh/large-%d" % number, version=f"large-{number}", length=200_000)
            fill(store, large, b"y" * 200_000)
            swept(store)
            assert disk_bytes(store) <= most
        assert find(store, large) == large


def test_a_slice_drives_out_a_bounded_number_of_tiny_ones(tmp_path: Path) -> None:
    """One transaction after the other, on the event loop."""
    with a_store(tmp_path, inline_bytes=SMALL_BYTES, slice_bytes=MIB) as store:
        for number in range(200):
            fill_small(store, str(number), b"")
        most = 0
        for number in range(12):
            before = store.stats()["evictions"]
            large = a_record(b"s\nh/large-%d" % number, version=f"large-{number}", length=100_000)
            fill(store, large, b"y" * 100_000)
            most = max(most, store.stats()["evictions"] - before)
        assert 0 < most <= 110_000 // 2048


def disk_bytes(store: Store) -> int:
    files = sum(-(-file.stat().st_size // PAGE_BYTES) for file in slice_files(store.path))
    return files * PAGE_BYTES + store.index.reached_bytes()


def test_a_store_of_a_former_version_is_served(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        totals = store.index.totals()
        former = struct.pack("<15Q", *[getattr(totals, name) for name in FORMER_TOTALS])
        with store.index.env.begin(write=True) as transaction:
            transaction.put(b"totals", former, db=store.index.meta)
            transaction.drop(store.index.bodies)
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        assert store.stats()["rebuilding"] == 0
        assert body_of(store, stored) == b"hello"
        fill_small(store, "new", b"small")
        assert small_of(store, "new") == b"small"
        assert body_of(store, stored) == b"hello"


FORMER_TOTALS = [
    name for name in Totals.__dataclass_fields__ if name not in ("inline_bytes", "layout")
]


@given(size=st.integers(0, 40_000))
def test_pieces_fit_their_pages_and_are_charged(size: int) -> None:
    pieces = small_bodies.pieces_of(b"key", bytes(size))
    assert len(pieces) == small_bodies.piece_count(size)
    assert all(len(piece) == small_bodies.PIECE_BYTES for piece in pieces[:-1])
    assert 0 < len(pieces[-1]) <= small_bodies.PIECE_BYTES
    assert size < small_bodies.charge_bytes(size) <= size + 2 * PAGE_BYTES + 100


@pytest.mark.parametrize("size", [10, 500, 1024, 1500, 2000, 2500, 4072, 6000, SMALL_BYTES])
def test_a_body_takes_what_it_is_charged(tmp_path: Path, size: int) -> None:
    with a_store(
        tmp_path, size_bytes=64 * MIB, inline_bytes=SMALL_BYTES, map_bytes=64 * MIB
    ) as store:
        for number in range(300):
            fill_small(store, str(number), bytes(size))
        with store.index.read() as transaction:
            pages = store.index.body_page_bytes(transaction)
        assert pages <= store.stats()["inline_bytes"] * 1.03 + 2 * PAGE_BYTES
