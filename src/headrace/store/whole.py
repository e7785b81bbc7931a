"""A whole small response by one look into the index: what selects it, its record and its body.

It is what most requests for small objects need that are not answered from memory. Whatever is not
as it should be is left to the longer way, which looks again, step by step, and mends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import xxhash

from headrace.cache.record import StoredResponse
from headrace.store import ready_rows
from headrace.store.header import decode_record
from headrace.store.index import READ_ERRORS, Index, damaged
from headrace.store.layout import NO_VARIANT, SLOTS, record_key, slice_key
from headrace.store.purge_rules import PurgeEffect, RuleSet
from headrace.store.rows import place_and_length
from headrace.store.small_bodies import read_sound

VariantOf = Callable[[tuple[bytes, ...]], bytes | None]
"""What selects the variant by these fields; None: no variant of this will do."""

Whole = tuple[StoredResponse, bytes | None, int]
"""A record, its body if that is in the index, whole and sound, and its slot for `Store.touch`."""

Ready = tuple[ready_rows.Block, bytes]
"""A row with a head, and the body."""
decode_names = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode


def find(index: Index, rules: RuleSet, key_hash: bytes, variant_of: VariantOf) -> Whole | None:
    """Return what is stored for a key, with its body where that is at hand; None when nothing is,
    or a purge has to do with it. Raises StoreError when the index is damaged.
    """
    try:
        with index.read() as transaction:
            return _read(index, transaction, rules, key_hash, variant_of)
    except msgspec.DecodeError:
        return None
    except READ_ERRORS as error:
        raise damaged(error) from error


def _read(
    index: Index, transaction: Any, rules: RuleSet, key_hash: bytes, variant_of: VariantOf
) -> Whole | None:
    get = transaction.get
    names = get(key_hash, None, index.vary)
    if names is None:
        return None
    variant = variant_of(decode_names(names))
    if variant is None:
        return None
    packed = get(record_key(key_hash, variant), None, index.records)
    if packed is None:
        return None
    stored = decode_record(packed)
    if stored.generation < rules.newest and rules.effect(stored) is not PurgeEffect.KEPT:
        return None
    key = slice_key(stored.version, 0)
    row = get(key, None, index.slices)
    if row is None:
        return stored, None, -1
    place, length = place_and_length(row)
    if not place or length != stored.length:
        return stored, None, -1
    mark = xxhash.xxh3_64_intdigest(key)
    return stored, read_sound(transaction, index.bodies, mark, place, length), mark % SLOTS


def ready(
    index: Index, rules: RuleSet, key_hash: bytes, now: float, variant_of: VariantOf
) -> Ready | Literal[False] | None:
    """Return what is stored for a key with its head and its body, if it is fresh and no purge has
    to do with it: two rows, of which all bytes are verified, and two more looks where it varies.
    None: nothing is stored for the key; False: who wants to know asks `find` and others.

    Raises StoreError when the index is damaged.
    """
    try:
        with index.env.begin() as transaction:
            key = key_hash + NO_VARIANT
            packed = transaction.get(key, None, index.records)
            found = None if packed is None else ready_rows.read(packed, key)
            if found is None:
                names = transaction.get(key_hash, None, index.vary)
                if names is None:
                    return None if packed is None else False
                found = _variant(index, transaction, key_hash, variant_of(decode_names(names)))
                if found is None:
                    return False
            if found.response_time + found.lifetime_s - found.corrected_age_s <= now:
                return False
            if (
                found.generation < rules.newest
                and rules.effect(found.stored()) is not PurgeEffect.KEPT
            ):
                return False
            body = read_sound(transaction, index.bodies, found.mark, found.place, found.length)
            return False if body is None else (found, body)
    except msgspec.DecodeError:
        return False
    except READ_ERRORS as error:
        raise damaged(error) from error


def _variant(
    index: Index, transaction: Any, key_hash: bytes, variant: bytes | None
) -> ready_rows.Block | None:
    """Return the row of a variant, if it is one with a head."""
    if not variant:
        return None
    key = record_key(key_hash, variant)
    packed = transaction.get(key, None, index.records)
    return None if packed is None else ready_rows.read(packed, key)
