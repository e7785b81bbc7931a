"""Longest-prefix match on disjoint ranges of addresses: one binary search an answer.

Prefixes that nest are flattened once: where a longer one begins or ends, a range begins. Whatever
prefixes there were, an address lies in exactly one range, and the range says the longest match.
Two arrays hold the ranges of a family, in order: where each begins, and its value. They are plain
bytes, so that a file can hold them and processes share them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

NOTHING = 0
"""The value of addresses that no prefix covers. Values of prefixes are above it."""

V4_BITS, V6_BITS = 32, 128
_HALF_BITS = 64
_HALF = (1 << _HALF_BITS) - 1
_VALUE_BITS = 32
_VALUE = (1 << _VALUE_BITS) - 1
_LENGTH_BITS = 8
_LENGTH = (1 << _LENGTH_BITS) - 1

Column = Sequence[int]
"""Unsigned integers of one size: an array, or a view of bytes that somebody else holds."""


def packed_prefix(start: int, length: int, value: int) -> int:
    """Return a prefix and its value as one number; these sort as `flatten` wants them."""
    return ((start << _LENGTH_BITS) | length) << _VALUE_BITS | value


def flatten(packed: Iterable[int], bits: int) -> tuple[list[int], array[int]]:
    """Return where ranges begin and their values, from prefixes in ascending order.

    Of the same prefix twice, the lower value holds.
    """
    starts, values = [0], array("I", [NOTHING])
    open_ends: list[int] = []
    open_values: list[int] = []
    seen = -1
    for number in packed:
        prefix = number >> _VALUE_BITS
        if prefix == seen:
            continue
        seen = prefix
        start = prefix >> _LENGTH_BITS
        while open_ends and open_ends[-1] <= start:
            end = open_ends.pop()
            open_values.pop()
            _begin(starts, values, end, open_values[-1] if open_values else NOTHING)
        value = number & _VALUE
        _begin(starts, values, start, value)
        open_ends.append(start + (1 << (bits - (prefix & _LENGTH))))
        open_values.append(value)
    while open_ends:
        end = open_ends.pop()
        open_values.pop()
        if end < 1 << bits:
            _begin(starts, values, end, open_values[-1] if open_values else NOTHING)
    return starts, values


def _begin(starts: list[int], values: array[int], start: int, value: int) -> None:
    """Begin a range, unless it says what the one before says."""
    if starts[-1] == start:
        starts.pop()
        values.pop()
    if values and values[-1] == value:
        return
    starts.append(start)
    values.append(value)


class V4Ranges:
    """The ranges of IPv4."""

    __slots__ = ("starts", "values")

    def __init__(self, starts: Column, values: Column) -> None:
        self.starts = starts
        self.values = values

    @classmethod
    def of(cls, packed: Iterable[int]) -> V4Ranges:
        """Return the ranges of prefixes in ascending order (see `packed_prefix`)."""
        starts, values = flatten(packed, V4_BITS)
        return cls(array("I", starts), values)

    def find(self, address: int) -> tuple[int, int]:
        """Return the value of an address, and the length of the shortest prefix around it all of
        whose addresses have it from the same range."""
        starts = self.starts
        at = bisect_right(starts, address)
        end = starts[at] if at < len(starts) else 1 << V4_BITS
        return self.values[at - 1], _length(address, starts[at - 1], end, V4_BITS)


class V6Ranges:
    """The ranges of IPv6: the upper and the lower half of where each begins."""

    __slots__ = ("lower", "upper", "values")

    def __init__(self, upper: Column, lower: Column, values: Column) -> None:
        self.upper = upper
        self.lower = lower
        self.values = values

    @classmethod
    def of(cls, packed: Iterable[int]) -> V6Ranges:
        """Return the ranges of prefixes in ascending order (see `packed_prefix`)."""
        starts, values = flatten(packed, V6_BITS)
        upper = array("Q", (start >> _HALF_BITS for start in starts))
        return cls(upper, array("Q", (start & _HALF for start in starts)), values)

    def find(self, address: int) -> tuple[int, int]:
        """Return what `V4Ranges.find` returns."""
        upper = self.upper
        head = address >> _HALF_BITS
        at = bisect_right(upper, head)
        if upper[at - 1] == head:
            at = bisect_right(self.lower, address & _HALF, bisect_left(upper, head, 0, at), at)
        start = upper[at - 1] << _HALF_BITS | self.lower[at - 1]
        end = upper[at] << _HALF_BITS | self.lower[at] if at < len(upper) else 1 << V6_BITS
        return self.values[at - 1], _length(address, start, end, V6_BITS)


def _length(address: int, start: int, end: int, bits: int) -> int:
    """Return the length of the shortest prefix around an address in `start` to before `end`.

    Addresses of the same prefix agree in its bits: the address differs from its neighbours outside
    above all that the prefix leaves open. The one before the first is taken one bit further up.
    """
    before = (address | 1 << bits) ^ ((start | 1 << bits) - 1)
    return bits + 1 - min(before.bit_length(), (address ^ end).bit_length())
