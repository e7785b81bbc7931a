"""Storing, finding, replacing and deleting."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from headrace.store import Part, Store, StoreError
from headrace.store.layout import digest
from tests.unit.store.samples import (
    KEY,
    a_record,
    a_store,
    body_of,
    fill,
    find,
    slice_files,
    swept,
    version_of,
)


def test_what_was_filled_is_found_with_its_body(store: Store) -> None:
    stored = a_record()
    assert fill(store, stored)
    assert find(store, stored) == stored
    assert body_of(store, stored) == b"hello"


def test_what_was_not_filled_is_not_found(store: Store) -> None:
    assert find(store, a_record()) is None
    assert store.vary_of(digest(KEY)) is None
    assert store.open_slice(a_record(), 0) is None


def test_variants_lie_side_by_side(store: Store) -> None:
    names = (b"accept-encoding",)
    plain = a_record(vary=names, variant=b"identity", version="plain")
    packed = a_record(vary=names, variant=b"gzip", version="packed")
    fill(store, plain, b"plain")
    fill(store, packed, b"gzipd")
    assert store.vary_of(digest(KEY)) == names
    assert body_of(store, plain) == b"plain"
    assert store.lookup(digest(KEY), b"gzip") == packed
    assert store.lookup(digest(KEY), b"br") is None


def test_slices_of_one_response_come_in_any_order(store: Store) -> None:
    stored = a_record(length=5 + 2 * 65_536)
    fill(store, stored, b"tail!", n=2)
    fill(store, stored, b"x" * 65_536, n=0)
    assert store.slices(stored) == [0, 2]
    assert store.has_slice(stored.version, 2)
    assert not store.has_slice(stored.version, 1)
    assert body_of(store, stored, 2) == b"tail!"


def test_a_new_version_replaces_the_old_and_its_files(store: Store) -> None:
    fill(store, a_record(version="old"))
    new = a_record(version="new", response_time=2000.0)
    fill(store, new, b"newer")
    assert find(store, new) == new
    assert [file.name for file in slice_files(store.path)] == [f"{new.version.hex()}-0"]
    assert store.stats()["slices"] == 1


def test_a_late_slice_of_a_replaced_version_is_refused(store: Store) -> None:
    old, new = a_record(version="old"), a_record(version="new", response_time=2000.0)
    fill(store, old)
    fill(store, new)
    assert not fill(store, old, n=1)
    assert find(store, new) == new
    assert not store.slices(old)


def test_a_record_from_the_future_does_not_keep_newer_ones_out(store: Store) -> None:
    fill(store, a_record(version="wrong clock", response_time=1e12))
    new = a_record(version="new")
    assert fill(store, new)
    assert find(store, new) == new


def test_a_replaced_version_of_many_slices_is_left_to_the_sweep(store: Store) -> None:
    old = a_record(version="old")
    for n in range(20):
        fill(store, old, n=n)
    new = a_record(version="new", response_time=2000.0)
    fill(store, new)
    swept(store)
    assert not store.slices(old)
    assert len(slice_files(store.path)) == 1
    assert not fill(store, old, n=3)


def test_filling_a_slice_twice_counts_it_once(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    once = store.stats()
    fill(store, stored, b"HELLO")
    assert body_of(store, stored) == b"HELLO"
    twice = store.stats()
    assert (twice["bytes"], twice["slices"]) == (once["bytes"], once["slices"])
    assert len(slice_files(store.path)) == 1


def test_a_freshened_record_keeps_its_body(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    fresher = a_record(response_time=3000.0, lifetime_s=5.0)
    assert store.record(fresher, digest(KEY))
    assert find(store, stored) == fresher
    assert body_of(store, fresher) == b"hello"


def test_a_later_slice_does_not_undo_a_freshening(store: Store) -> None:
    stored = a_record(length=65_541)
    fill(store, stored, n=0)
    fresher = a_record(length=65_541, response_time=3000.0)
    store.record(fresher, digest(KEY))
    fill(store, stored, n=1)
    assert find(store, stored) == fresher


def test_a_record_without_a_body_is_charged_and_then_takes_slices(store: Store) -> None:
    stored = a_record()
    assert store.record(stored, digest(KEY))
    assert store.stats()["bytes"] == 4096
    assert store.slices(stored) == []
    fill(store, stored)
    assert store.stats()["bytes"] == 8192
    assert store.slices(stored) == [0]


def test_a_record_of_unknown_length_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="length"):
        store.record(a_record(length=-1), digest(KEY))


def test_a_version_too_short_to_be_a_name_is_refused(store: Store) -> None:
    short = msgspec.structs.replace(a_record(), version=b"short")
    with pytest.raises(StoreError, match="version"):
        fill(store, short)


def test_deleting_forgets_record_slices_and_files(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    fill(store, stored, n=1)
    store.delete(stored)
    assert find(store, stored) is None
    assert store.vary_of(digest(KEY)) is None
    assert slice_files(store.path) == []
    assert store.stats()["bytes"] == 0


def test_an_empty_body_is_a_slice_too(store: Store) -> None:
    stored = a_record(length=0)
    fill(store, stored, b"")
    assert body_of(store, stored) == b""


def test_everything_is_found_again_after_reopening(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as first:
        fill(first, stored)
    with a_store(tmp_path) as second:
        assert find(second, stored) == stored
        assert body_of(second, stored) == b"hello"


def test_a_listing_goes_page_by_page(store: Store) -> None:
    keys = {b"films\nh/%d" % number for number in range(5)}
    for key in keys:
        fill(store, a_record(key, version=key.decode()))
    fill(store, a_record(b"music\nh/0", version="other"))
    seen = []
    cursor: bytes | None = b""
    while cursor is not None:
        page, cursor = store.list(b"films\n", 2, cursor)
        assert len(page) <= 2
        seen += [stored.key for stored in page]
    assert sorted(seen) == sorted(keys)


def test_inspecting_a_key_shows_every_variant_and_its_slices(store: Store) -> None:
    fill(store, a_record(variant=b"gzip", vary=(b"accept-encoding",)))
    (found,) = store.inspect(digest(KEY))
    assert found["variant"] == b"gzip"
    assert found["purged"] == "kept"
    assert found["version"] == version_of("one")
    assert found["slices"] == [{"n": 0, "bytes": 5, "file_bytes": 8192}]


def test_a_part_in_hand_may_come_after_its_slice_was_finished(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    late = store.begin_part(stored.version, 0)
    assert isinstance(late, Part)
    assert store.has_slice(stored.version, 0)
    late.close()
    assert body_of(store, stored) == b"hello"
