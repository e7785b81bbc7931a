"""Reading the index for operators: counts, pages of records, everything about one key."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from headrace.cache.record import StoredResponse
from headrace.store.header import decode_record
from headrace.store.index import Index
from headrace.store.layout import REBUILD, RECORD_ONLY
from headrace.store.purge_rules import PurgeEffect, RuleSet
from headrace.store.rows import SliceRow
from headrace.store.shared_memory import SharedState

SEEN_AT_MOST = 10_000
_NO_COUNTS = frozenset(("position", "ghost_position", "layout"))


def slice_numbers(index: Index, version: bytes) -> list[int]:
    """Return the numbers of a version's slices, ascending."""
    return [n for n, _ in _slices(index, version)]


def _slices(index: Index, version: bytes) -> list[tuple[int, SliceRow]]:
    found = []
    with index.read() as transaction, transaction.cursor(index.slices) as cursor:
        more = cursor.set_range(version)
        while more:
            key = bytes(cursor.key())
            if not key.startswith(version):
                break
            n = int.from_bytes(key[-4:], "big")
            if len(key) == len(version) + 4 and n != RECORD_ONLY:
                found.append((n, SliceRow.unpacked(cursor.value())))
            more = cursor.next()
    return found


def stats(index: Index, state: SharedState, size_bytes: int) -> dict[str, int]:
    """Return counts and bytes. Constant time."""
    totals = index.totals()
    with index.read() as transaction:
        rebuilding = transaction.get(REBUILD, None, index.meta) is not None
    return {
        "size_bytes": size_bytes,
        "bytes": totals.used_bytes,
        "objects": index.entries(index.records),
        "slices": index.entries(index.slices),
        "rules": index.entries(index.rules),
        "rebuilding": int(rebuilding),
        **{
            name: value
            for name, value in asdict(totals).items()
            if "position" not in name and name != "layout"
        },
        **state.counts(),
    }


def page(
    index: Index, rules: RuleSet, prefix: bytes, limit: int, cursor: bytes | None
) -> tuple[list[StoredResponse], bytes | None]:
    """Return a page of records (see Store.list). The cursor is the index key to begin with."""
    found: list[StoredResponse] = []
    seen = 0
    with index.read() as transaction, transaction.cursor(index.records) as rows:
        more = rows.set_range(cursor or b"")
        while more:
            if len(found) >= limit or seen >= SEEN_AT_MOST:
                return found, bytes(rows.key())
            seen += 1
            stored = _readable(rows.value())
            if (
                stored is not None
                and stored.key.startswith(prefix)
                and rules.effect(stored) is not PurgeEffect.HARD
            ):
                found.append(stored)
            more = rows.next()
    return found, None


def _readable(packed: memoryview) -> StoredResponse | None:
    """Return a record; None for one that says nothing: the rest is there all the same."""
    try:
        return decode_record(packed)
    except msgspec.DecodeError:
        return None


def variants(index: Index, rules: RuleSet, key_hash: bytes) -> tuple[StoredResponse, ...]:
    """Return the variants of a key (see Store.variants)."""
    return tuple(
        stored
        for stored in _records(index, key_hash)
        if rules.effect(stored) is not PurgeEffect.HARD
    )


def _records(index: Index, key_hash: bytes) -> list[StoredResponse]:
    records: list[StoredResponse] = []
    with index.read() as transaction, transaction.cursor(index.records) as rows:
        more = rows.set_range(key_hash)
        while more and bytes(rows.key()).startswith(key_hash):
            stored = _readable(rows.value())
            if stored is not None:
                records.append(stored)
            more = rows.next()
    return records


def inspect(index: Index, rules: RuleSet, key_hash: bytes) -> list[dict[str, Any]]:
    """Return the fields, `purged` (kept, soft or hard) and `slices` (see Store.inspect)."""
    return [
        {
            **msgspec.structs.asdict(stored),
            "purged": rules.effect(stored).name.lower(),
            "slices": [
                {"n": n, "bytes": row.body_bytes, "file_bytes": row.file_bytes}
                for n, row in _slices(index, stored.version)
            ],
        }
        for stored in _records(index, key_hash)
    ]
