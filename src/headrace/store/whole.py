"""A whole small response by one look into the index: what selects it, its record and its body.

It is what most requests for small objects need that are not answered from memory. Whatever is not
as it should be is left to the longer way, which looks again, step by step, and mends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import xxhash

from headrace.cache.record import StoredResponse
from headrace.store.header import decode_record
from headrace.store.index import Index
from headrace.store.layout import SLOTS, record_key, slice_key
from headrace.store.purge_rules import PurgeEffect, RuleSet
from headrace.store.rows import place_and_length
from headrace.store.small_bodies import read_sound

VariantOf = Callable[[tuple[bytes, ...]], bytes | None]
"""What selects the variant by these fields; None: no variant of this will do."""

Whole = tuple[StoredResponse, bytes | None, int]
"""A record, its body if that is in the index, whole and sound, and its slot for `Store.touch`."""

decode_names = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode


def read(
    index: Index, transaction: Any, rules: RuleSet, key_hash: bytes, variant_of: VariantOf
) -> Whole | None:
    """Return what is stored for a key, with its body where that is at hand; None when nothing is,
    or a purge has to do with it. Raises one of READ_ERRORS.
    """
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
