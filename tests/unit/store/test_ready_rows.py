"""Rows with a head that is ready to be sent: found in one look, whole and sound, or not at all."""

from __future__ import annotations

import math
import random
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.store import PurgeRule, Store, ready_rows
from headrace.store.header import decode_record, encode_record
from headrace.store.index import totals_from
from headrace.store.layout import digest, record_key, slice_key
from headrace.store.transaction import invalidated
from tests.unit.store.samples import KEY, a_record, a_store, fill, find, swept, version_of

INLINE: dict[str, Any] = {"inline_bytes": 16 * 1024}
NOW = 1010.0
HASH = digest(KEY)
ROW_KEY = record_key(HASH, b"")
GERMAN = b"accept-language:de"


def german(_names: tuple[bytes, ...]) -> bytes:
    return GERMAN if _names else b""


def ready(store: Store, key: bytes = KEY, now: float = NOW) -> bytes | None:
    """The head's lines and the body, as they are found."""
    found = store.ready(digest(key), now, german)
    return None if not found else found[0].head + b"\r\n" + found[1]


def row_of(store: Store, key: bytes = KEY) -> bytes:
    with store.index.read() as transaction:
        return bytes(transaction.get(record_key(digest(key), b""), None, store.index.records))


def put_row(store: Store, row: bytes, key: bytes = KEY) -> None:
    with store.transaction() as transaction:
        transaction.change.put(store.index.records, record_key(digest(key), b""), row)


def test_a_small_response_is_found_with_its_head(tmp_path: Path) -> None:
    stored = a_record(lifetime_s=60.0, corrected_age_s=3.0, generation=0)
    with a_store(tmp_path, **INLINE) as store:
        fill(store, stored)
        found = store.ready(HASH, NOW, german)
        assert found
        block, body = found
        assert body == b"hello"
        assert block.head == (
            b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n"
            b"Date: Thu, 01 Jan 1970 00:16:40 GMT\r\nAccept-Ranges: bytes\r\n"
        )
        assert (block.status, block.length, block.has_via) == (200, 5, False)
        assert (block.response_time, block.corrected_age_s, block.lifetime_s) == (1000.0, 3.0, 60.0)
        assert block.slot == store.slot(stored.version, 0)
        assert block.stored() == stored == find(store, stored)


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        ({}, 1061.0),
        ({"corrected_age_s": 55.0}, 1006.0),
        ({"corrected_age_s": 60.0}, 900.0),  # never fresh, whatever the clock says
        ({"lifetime_s": 0.0}, 900.0),
        ({"flags": int(StoredFlag.NO_CACHE)}, NOW),
        ({"flags": int(StoredFlag.INVALIDATED)}, NOW),
        ({"status": 204}, NOW),
        ({"lifetime_s": math.inf}, NOW),
        ({"vary": (b"accept-language",), "variant": b""}, NOW),
        ({"vary": (), "variant": b"accept-language:de"}, NOW),
        ({"slice_bytes": 4}, NOW),
    ],
)
def test_what_needs_more_is_left_to_the_longer_way(
    tmp_path: Path, changes: dict[str, Any], now: float
) -> None:
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record(**changes))
        assert ready(store, now=now) is None


def test_nothing_is_told_from_what_takes_more(tmp_path: Path) -> None:
    stored = a_record(flags=int(StoredFlag.NO_CACHE))
    with a_store(tmp_path, **INLINE) as store:
        assert store.ready(HASH, NOW, german) is None
        fill(store, stored)
        assert store.ready(HASH, NOW, german) is False
        store.delete(stored)
        assert store.ready(HASH, NOW, german) is None


def test_a_body_in_a_file_is_left_to_the_longer_way(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        fill(store, a_record())
        assert ready(store) is None
        assert store.index.totals().layout == 0


def test_a_renewed_record_has_a_new_head(tmp_path: Path) -> None:
    stored = a_record()
    renewed = a_record(headers=((b"etag", b'"b"'), (b"date", b"now")), response_time=1050.0)
    with a_store(tmp_path, **INLINE) as store:
        fill(store, stored)
        assert store.record(renewed, HASH)
        assert ready(store, now=1100.0) == (
            b'HTTP/1.1 200 OK\r\nETag: "b"\r\nDate: now\r\nAccept-Ranges: bytes\r\n\r\nhello'
        )
        assert find(store, stored) == renewed


def test_another_representation_takes_its_place(tmp_path: Path) -> None:
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())
        fill(store, a_record(version="two", response_time=1001.0, length=3), b"new")
        found = ready(store)
        assert found is not None
        assert found.endswith(b"\r\n\r\nnew")


def test_what_came_to_vary_is_no_longer_found_by_the_key_alone(tmp_path: Path) -> None:
    old = a_record()
    english = a_record(version="en", vary=(b"accept-language",), variant=b"accept-language:en")
    with a_store(tmp_path, **INLINE) as store:
        fill(store, old)
        assert ready(store) is not None
        fill(store, english)
        assert store.ready(HASH, NOW, german) is False
        assert find(store, old) == old  # whatever is made of it, nothing was lost
        fill(store, a_record(version="again", response_time=1002.0))
        assert ready(store) is not None


def test_a_variant_is_found_by_what_selects_it(tmp_path: Path) -> None:
    vary = (b"accept-language",)
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())  # from before the responses came to vary
        fill(store, a_record(version="de", vary=vary, variant=GERMAN, length=3), b"ein")
        fill(store, a_record(version="en", vary=vary, variant=b"x", length=3), b"one")
        assert (ready(store) or b"").endswith(b"\r\n\r\nein")
        found = store.ready(HASH, NOW, lambda names: b"x" if names == vary else None)
        assert found
        assert (found[1], found[0].stored().variant) == (b"one", b"x")
        assert store.ready(HASH, NOW, lambda _names: b"y") is False
        assert store.ready(HASH, NOW, lambda _names: None) is False
        assert store.ready(HASH, NOW, lambda _names: b"") is False


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("is_swept", [False, True])
def test_a_purge_is_heeded(tmp_path: Path, soft: bool, is_swept: bool) -> None:
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record(tags=(b"a",)))
        fill(store, a_record(b"films\nexample.org/b", version="b", tags=(b"b",)))
        store.purge(PurgeRule("tag", b"a", soft=soft, service=b"films"), durable=False)
        if is_swept:
            swept(store)
        assert ready(store) is None
        assert ready(store, b"films\nexample.org/b") is not None


def test_what_was_evicted_is_not_found(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, **INLINE) as store:
        fill(store, stored)
        with store.transaction() as transaction:
            transaction.drop_slice(slice_key(stored.version, 0))
        assert ready(store) is None


def test_no_damaged_byte_is_sent(tmp_path: Path) -> None:
    """Any bit of a row, and any length of it: what is found is what was stored, or nothing is."""
    chance = random.Random(5)
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())
        row, whole = row_of(store), ready(store)
        assert whole is not None
        for _ in range(400):
            damaged = bytearray(row)
            damaged[chance.randrange(len(row))] ^= 1 << chance.randrange(8)
            if chance.random() < 0.2:
                del damaged[chance.randrange(1, len(row)) :]
            put_row(store, bytes(damaged))
            assert ready(store) in (None, whole)


def test_a_damaged_row_is_taken_out(tmp_path: Path) -> None:
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())
        row = bytearray(row_of(store))
        row[-1] ^= 1
        put_row(store, bytes(row))
        assert ready(store) is None
        assert store.lookup(HASH, b"") is None
        assert store.stats()["corrupt"] == 1


def test_a_row_under_another_key_is_not_its_answer(tmp_path: Path) -> None:
    other = b"films\nexample.org/other"
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())
        fill(store, a_record(other, version="other"))
        put_row(store, row_of(store), other)
        assert ready(store, other) is None


def test_a_damaged_body_is_not_sent(tmp_path: Path) -> None:
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())
        with store.index.env.begin(write=True) as transaction:
            cursor = transaction.cursor(store.index.bodies)
            assert cursor.first()
            transaction.put(cursor.key(), cursor.value()[:-1] + b"x", db=store.index.bodies)
        assert ready(store) is None


def test_a_row_of_another_layout_is_as_good_as_none(tmp_path: Path) -> None:
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())
        row = bytearray(row_of(store))
        row[1] += 1
        put_row(store, bytes(row))
        assert ready(store) is None
        assert store.lookup(HASH, b"") is None
        fill(store, a_record(version="two"))
        assert ready(store) is not None


def test_a_record_of_an_older_release_is_served_by_the_longer_way(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path, **INLINE) as store:
        fill(store, stored)
        put_row(store, encode_record(stored))
        assert ready(store) is None
        whole = store.whole(HASH, lambda _names: b"")
        assert whole is not None
        assert (whole[0], whole[1]) == (stored, b"hello")
        assert store.record(stored, HASH)  # once it is renewed it has its head
        assert ready(store) is not None


def test_an_older_release_refuses_the_store(tmp_path: Path) -> None:
    """It could not read these rows, and would not keep to what they say."""
    with a_store(tmp_path, **INLINE) as store:
        fill(store, a_record())
        with store.index.read() as transaction:
            packed = bytes(transaction.get(b"totals", b"", store.index.meta))
        assert totals_from(packed).layout == ready_rows.LAYOUT
        with pytest.raises(struct.error):
            struct.unpack("<16Q", packed)


NAMES = st.sampled_from([b"x-a", b"via", b"date", b"accept-ranges", b"etag", b"x:y", b"X-Upper"])
VALUES = st.one_of(st.sampled_from([b"", b"1.1 a", b"a: b", b" a", b"\xff"]), st.binary(max_size=9))


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    st.sampled_from([200, 203, 301, 404, 599]),
    st.sampled_from([0, int(StoredFlag.HTTP_1_0), int(StoredFlag.MUST_REVALIDATE)]),
)
def test_a_row_is_the_record(fields: list[tuple[bytes, bytes]], status: int, flags: int) -> None:
    stored = a_record(headers=tuple(fields), status=status, flags=flags, tags=(b"t",))
    row = ready_rows.encode(stored, ROW_KEY, 7, 9)
    if row is None:  # for fields that no parser lets through
        assert any(
            b"\r\n" in value or b": " in name or name != name.lower() for name, value in fields
        )
        return
    block = ready_rows.read(row, ROW_KEY)
    assert block is not None
    assert decode_record(row) == decode_record(memoryview(row)) == block.stored() == stored
    assert (block.place, block.mark, block.length) == (7, 9, stored.length)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_row_or_an_error(packed: bytes) -> None:
    for row in (packed, bytes((ready_rows.MARK,)) + packed):
        try:
            found = decode_record(row)
        except msgspec.DecodeError:
            continue
        assert isinstance(found, StoredResponse)


def test_a_soft_purged_record_is_a_record_alone() -> None:
    stored = invalidated(a_record())
    assert ready_rows.encode(stored, ROW_KEY, 7, 9) is None
    assert version_of("one") == stored.version
