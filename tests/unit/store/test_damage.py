"""Damaged files are never served, and leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.store import PurgeRule, Store
from headrace.store.index import Index
from headrace.store.layout import digest, record_key
from tests.unit.store.samples import a_record, a_store, body_of, fill, find, slice_files, swept


def flip(path: Path, at: int) -> None:
    text = bytearray(path.read_bytes())
    text[at] ^= 0xFF
    path.write_bytes(text)


@pytest.mark.parametrize("at", [0, 8, 12, 20, 32, 48, 64, 112, 130, 150])
def test_a_flipped_byte_in_the_header_is_noticed(store: Store, at: int) -> None:
    stored = a_record()
    fill(store, stored)
    (file,) = slice_files(store.path)
    flip(file, at)
    assert body_of(store, stored) is None
    assert find(store, stored) is None
    assert slice_files(store.path) == []
    assert store.stats()["corrupt"] == 1


def test_a_flipped_byte_in_the_body_is_noticed_by_its_checksum(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, checksum_on_open=True) as store:
        fill(store, stored)
        (file,) = slice_files(tmp_path)
        flip(file, 4096 + 2)
        assert body_of(store, stored) is None
        assert store.stats()["corrupt"] == 1


def test_a_sound_body_passes_its_checksum(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, checksum_on_open=True) as store:
        fill(store, stored)
        assert body_of(store, stored) == b"hello"


def test_a_file_that_was_replaced_or_overwritten_is_checked_again(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, checksum_on_open=True) as store:
        fill(store, stored)
        assert body_of(store, stored) == b"hello"
        (file,) = slice_files(tmp_path)
        sound = file.read_bytes()
        restored = tmp_path / "restored"
        restored.write_bytes(sound)
        restored.rename(file)
        assert body_of(store, stored) == b"hello"
        damaged = tmp_path / "damaged"
        damaged.write_bytes(sound[:-1] + b"?")
        damaged.rename(file)
        assert body_of(store, stored) is None
        assert store.stats()["corrupt"] == 1


@pytest.mark.parametrize("size", [0, 100, 4096, 4100])
def test_a_shortened_file_is_noticed_even_when_seen_before(store: Store, size: int) -> None:
    stored = a_record()
    fill(store, stored)
    assert body_of(store, stored) == b"hello"
    (file,) = slice_files(store.path)
    file.write_bytes(file.read_bytes()[:size])
    assert body_of(store, stored) is None
    assert store.stats()["bytes"] == 0


def test_a_file_in_the_place_of_another_is_noticed(store: Store) -> None:
    one, two = a_record(version="one"), a_record(b"films\nb", version="two")
    fill(store, one)
    fill(store, two)
    by_name = {file.name: file for file in slice_files(store.path)}
    source = by_name[f"{two.version.hex()}-0"]
    by_name[f"{one.version.hex()}-0"].write_bytes(source.read_bytes())
    assert body_of(store, one) is None
    assert body_of(store, two) == b"hello"


def test_a_missing_file_is_forgotten(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    slice_files(store.path)[0].unlink()
    assert body_of(store, stored) is None
    assert find(store, stored) is None
    assert store.stats()["missing"] == 1
    assert store.stats()["bytes"] == 0


def test_one_damaged_slice_leaves_the_others(store: Store) -> None:
    stored = a_record(length=65_541)
    fill(store, stored, n=0)
    fill(store, stored, n=1)
    flip(slice_files(store.path)[0], 0)
    assert body_of(store, stored, 0) is None
    assert body_of(store, stored, 1) == b"hello"
    assert find(store, stored) == stored


def lost_names(index: Index) -> None:
    """Have no evicted entry's name lead to it."""
    with index.write() as change:
        for name in change.keys_with_prefix(index.ghost_names, b"", 1000):
            change.remove(index.ghost_names, name)


def crossed_names(index: Index) -> None:
    """Have each evicted entry's name lead to the newest."""
    with index.write() as change:
        newest = change.keys_with_prefix(index.ghost, b"", 1000)[-1]
        for name in change.keys_with_prefix(index.ghost_names, b"", 1000):
            change.put(index.ghost_names, name, newest)


@pytest.mark.parametrize("damage", [lost_names, crossed_names])
def test_evicting_ends_in_a_damaged_index(tmp_path: Path, damage: Callable[[Index], None]) -> None:
    def fill_some(first: int) -> None:
        for number in range(first, first + 40):
            stored = a_record(key=b"films\n/%d" % number, version=f"{number}", length=40_000)
            assert fill(store, stored, bytes(40_000))

    with a_store(tmp_path) as store:
        fill_some(0)
        assert store.index.entries(store.index.ghost) > 10
        damage(store.index)
        too_many = 2 * store.settings.size_bytes
        with store.index.write() as change:
            change.totals.ghost_bytes = too_many
        fill_some(100)
        assert store.index.totals().ghost_bytes < too_many


def test_one_unreadable_record_leaves_the_others(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=2000) as store:
        kept = [a_record(key=b"films\n/%d" % number, version=f"{number}") for number in range(9)]
        for stored in kept:
            fill(store, stored)
        damaged = kept.pop(4)
        key = record_key(digest(damaged.key), b"")
        with store.index.write() as change:
            row = change.get(store.index.records, key)
            assert row is not None
            change.put(store.index.records, key, row[:-1] + bytes((row[-1] ^ 1,)))
        listed, _more = store.list(b"films\n", 100)
        assert {stored.key for stored in listed} == {stored.key for stored in kept}
        assert store.inspect(digest(damaged.key)) == []
        assert store.variants(digest(damaged.key)) == ()
        store.purge(PurgeRule("url", b"films\n/0"))
        swept(store)
        assert store.stats()["corrupt"] == 1
        assert store.stats()["objects"] == len(kept) - 1
        assert store.vary_of(digest(damaged.key)) is None
        swept(store, keep_s=-1.0)
        assert store.stats()["rules"] == 0  # carried out, and done with
