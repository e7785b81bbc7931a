"""A small response by one look into the index, and what is left to the longer way."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.cache.record import StoredResponse
from headrace.store import PurgeRule, Store
from headrace.store.layout import digest, record_key, slice_key, slot_of
from tests.unit.store.samples import KEY, a_record, a_store, body_of, fill

SMALL_BYTES = 16 * 1024


def whole_of(store: Store, variant: bytes | None = b"") -> tuple[StoredResponse, bytes | None, int]:
    found = store.whole(digest(KEY), lambda _vary: variant)
    assert found is not None
    return found


def nothing_of(store: Store, variant: bytes | None = b"") -> bool:
    return store.whole(digest(KEY), lambda _vary: variant) is None


@pytest.mark.parametrize("size", [0, 1, 1000, 4071, 4072, 4073, SMALL_BYTES])
def test_a_small_response_comes_whole(tmp_path: Path, size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    stored = a_record(length=size)
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        assert nothing_of(store)
        fill(store, stored, body)
        assert whole_of(store) == (stored, body, slot_of(slice_key(stored.version, 0)))


def test_what_selects_the_variant_is_asked_for_by_its_fields(tmp_path: Path) -> None:
    stored = a_record(vary=(b"x-kind",), variant=b"x-kind:a")
    asked: list[tuple[bytes, ...]] = []

    def variant_of(vary: tuple[bytes, ...]) -> bytes:
        asked.append(vary)
        return b"x-kind:a"

    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored)
        found = store.whole(digest(KEY), variant_of)
        assert (found, asked) == (
            (stored, b"hello", slot_of(slice_key(stored.version, 0))), [(b"x-kind",)],
        )  # fmt: skip
        assert nothing_of(store, b"x-kind:b")
        assert nothing_of(store, None)


def test_of_a_body_in_a_file_only_the_record_comes(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        assert whole_of(store) == (stored, None, -1)
        assert body_of(store, stored) == b"hello"


@pytest.mark.parametrize("soft", [False, True])
def test_what_a_purge_hits_is_left_to_the_longer_way(tmp_path: Path, soft: bool) -> None:
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, a_record())
        store.purge(PurgeRule("url", b"another"), durable=False)
        assert whole_of(store)[1] == b"hello"
        store.purge(PurgeRule("url", KEY, soft=soft), durable=False)
        assert nothing_of(store)


@pytest.mark.parametrize("lost", ["body", "checksum", "piece", "slice", "length", "row"])
def test_no_body_comes_that_is_not_sound(tmp_path: Path, lost: str) -> None:
    body = b"x" * 10_000
    stored = a_record(length=len(body))
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, stored, body)
        with store.index.write() as change:
            bodies, slices = store.index.bodies, store.index.slices
            key, piece = change.first_from(bodies, b"") or (b"", b"")
            own = slice_key(stored.version, 0)
            row = change.get(slices, own) or b""
            if lost == "body":
                change.put(bodies, key, piece[:-1] + b"?")
            elif lost == "checksum":
                change.put(bodies, key, b"?" + piece[1:])
            elif lost == "piece":
                change.remove(bodies, key[:-1] + b"\2")
            elif lost == "slice":
                change.remove(slices, own)
            elif lost == "length":
                change.put(slices, own, row[:8] + (2**63).to_bytes(8, "big") + row[16:])
            else:
                change.put(slices, own, row[:24] + b"\7" + row[25:])
        assert whole_of(store)[:2] == (stored, None)


def test_an_unreadable_record_is_taken_out_by_the_longer_way(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=SMALL_BYTES) as store:
        fill(store, a_record())
        with store.index.write() as change:
            change.put(store.index.records, record_key(digest(KEY), b""), b"\x91")
        assert nothing_of(store)
        assert store.lookup(digest(KEY), b"") is None
        assert store.vary_of(digest(KEY)) is None
