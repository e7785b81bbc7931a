"""Finds the longest of given prefixes around a prefix. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from headrace.topology.prefix_set import V4_RECORD

ValueT = TypeVar("ValueT")
_V4_BITS, _V6_BITS = 32, 128


def parts_of(record: bytes) -> tuple[int, int, int]:
    """Return the bits of a record's family, its address and its length."""
    bits = _V4_BITS if len(record) == V4_RECORD.size else _V6_BITS
    return bits, int.from_bytes(record[:-1]), record[-1]


class Ancestors(Generic[ValueT]):
    """Prefixes and their values."""

    def __init__(self, values: Iterable[tuple[bytes, ValueT]]) -> None:
        self._by_length: dict[int, dict[int, dict[int, ValueT]]] = {_V4_BITS: {}, _V6_BITS: {}}
        for record, value in values:
            bits, address, length = parts_of(record)
            self._by_length[bits].setdefault(length, {})[address >> bits - length] = value
        self._lengths: Mapping[int, list[int]] = {
            bits: sorted(known, reverse=True) for bits, known in self._by_length.items()
        }

    def longest(self, record: bytes) -> ValueT | None:
        """Return the value of the longest prefix that has all of this one, or equals it."""
        bits, address, length = parts_of(record)
        known = self._by_length[bits]
        for each in self._lengths[bits]:
            if each <= length:
                found = known[each].get(address >> bits - each)
                if found is not None:
                    return found
        return None
