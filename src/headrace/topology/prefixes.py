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
from struct import Struct

NOTHING = 0
"""The value of addresses that no prefix covers. Values of prefixes are above it."""

V4_BITS, V6_BITS = 32, 128
_HALF = (1 << 64) - 1
INDEX_SIZE = (1 << 16) + 1
_IN_USE = 0x2000 << 3  # the first 19 bits of 2000::
_V4 = Struct(">I").unpack
_V4_TOP = Struct(">HB").unpack
_V6 = Struct(">QQ").unpack
_V6_HEAD = Struct(">Q").unpack_from
_V4_END, _V6_END = 1 << 32, 1 << 64  # behind all addresses; of IPv6, behind their upper halves
_V4_NETWORK = 1 << 8  # addresses of a /24
_V6_NETWORK = 1 << 16  # upper halves of the addresses of a /48
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


def _index(tops: Iterable[int]) -> array[int]:
    """Return for each number from 0 on how many of the ascending `tops` are below it."""
    index = array("I")
    count = 0
    for top in tops:
        if top >= len(index):
            index.extend(array("I", [count]) * (min(top + 1, INDEX_SIZE) - len(index)))
        count += 1
    index.extend(array("I", [count]) * (INDEX_SIZE - len(index)))
    return index


class V4Ranges:
    """The ranges of IPv4. `index` has, for each upper half of an address, how many ranges begin
    below it: the search is between two of these."""

    __slots__ = ("index", "starts", "values")

    def __init__(self, starts: Column, values: Column, index: Column) -> None:
        self.starts = starts
        self.values = values
        self.index = index

    @classmethod
    def of(cls, packed: Iterable[int]) -> V4Ranges:
        """Return the ranges of prefixes in ascending order (see `packed_prefix`)."""
        starts, values = flatten(packed, V4_BITS)
        return cls(array("I", starts), values, _index(start >> 16 for start in starts))

    def find(self, client: bytes) -> tuple[int, int]:
        """Return the value of an address, and the length of the shortest prefix around it all of
        whose addresses are in the same range."""
        (address,) = _V4(client)
        starts, index = self.starts, self.index
        top = address >> 16
        at = bisect_right(starts, address, index[top], index[top + 1])
        begin = starts[at - 1]
        # Two addresses of one prefix differ below its length only. So the highest bit in which
        # this one differs from its nearest neighbour outside is the lowest of the prefix. The one
        # before the first range differs a bit above all.
        before = address ^ (begin - 1) if begin else _V4_END
        after = address ^ (starts[at] if at < len(starts) else _V4_END)
        return self.values[at - 1], 33 - (before if before < after else after).bit_length()

    def find_network(self, network: bytes) -> int:
        """Return the value of all addresses of a /24 (its 3 bytes); -1 where they have several."""
        top: int
        top, third = _V4_TOP(network)
        starts, index = self.starts, self.index
        at, end = index[top], index[top + 1]
        if at < end:
            address = top << 16 | third << 8
            at = bisect_right(starts, address, at, end)
            if at < end and starts[at] - address < _V4_NETWORK:
                return -1
        return self.values[at - 1]


class V6Ranges:
    """The ranges of IPv6: the upper and the lower half of where each begins. `index` has, for the
    first 19 bits of the addresses in use, 2000::/3, how many ranges begin below them."""

    __slots__ = ("index", "lower", "upper", "values")

    def __init__(self, upper: Column, lower: Column, values: Column, index: Column) -> None:
        self.upper = upper
        self.lower = lower
        self.values = values
        self.index = index

    @classmethod
    def of(cls, packed: Iterable[int]) -> V6Ranges:
        """Return the ranges of prefixes in ascending order (see `packed_prefix`)."""
        starts, values = flatten(packed, V6_BITS)
        upper = array("Q", (start >> 64 for start in starts))
        lower = array("Q", (start & _HALF for start in starts))
        return cls(upper, lower, values, _index((head >> 45) - _IN_USE for head in upper))

    def find(self, client: bytes) -> tuple[int, int]:
        """Return what `V4Ranges.find` returns."""
        (head,) = _V6_HEAD(client)
        upper, index = self.upper, self.index
        top = (head >> 45) - _IN_USE
        if 0 <= top < INDEX_SIZE - 1:
            at = bisect_right(upper, head, index[top], index[top + 1])
        else:
            at = bisect_right(upper, head)
        begin = upper[at - 1]
        if begin == head:
            return self._find_within(head, _V6(client)[1], at)
        # All of the /64 is in the range: half of each number is enough.
        if self.lower[at - 1]:
            begin += 1
        before = head ^ (begin - 1) if begin else _V6_END
        after = head ^ (upper[at] if at < len(upper) else _V6_END)
        return self.values[at - 1], 65 - (before if before < after else after).bit_length()

    def find_network(self, network: bytes) -> int:
        """Return the value of all addresses of a /48 (its 6 bytes); -1 where they have several."""
        head = int.from_bytes(network, "big") << 16
        upper, index = self.upper, self.index
        top = (head >> 45) - _IN_USE
        if 0 <= top < INDEX_SIZE - 1:
            at = bisect_right(upper, head, index[top], index[top + 1])
        else:
            at = bisect_right(upper, head)
        if at < len(upper) and upper[at] - head < _V6_NETWORK:
            return -1
        if upper[at - 1] == head and self.lower[at - 1]:
            return -1
        return self.values[at - 1]

    def _find_within(self, head: int, tail: int, at: int) -> tuple[int, int]:
        """Return the same where ranges begin within the /64 of the address."""
        upper, lower = self.upper, self.lower
        at = bisect_right(lower, tail, bisect_left(upper, head, 0, at), at)
        start = upper[at - 1] << 64 | lower[at - 1]
        end = upper[at] << 64 | lower[at] if at < len(upper) else 1 << 128
        address = head << 64 | tail
        before = (address | 1 << 128) ^ ((start | 1 << 128) - 1)
        after = address ^ end
        return self.values[at - 1], 129 - (before if before < after else after).bit_length()
