"""Ways to find the server of a key among weighted servers, each as plain as it can be.

All hash by xxh3 and take servers as names with whole weights. Those that know no weights get each
server as often as its weight says.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence

import xxhash

Servers = Sequence[tuple[str, int]]
Find = Callable[[bytes], int]
"""From a key to the number of its server."""

Build = Callable[[Servers], Find]

_MASK = (1 << 64) - 1
_hash = xxhash.xxh3_64_intdigest


def _units(servers: Servers) -> list[tuple[bytes, int]]:
    """Return each server as often as its weight says, with its number."""
    return [
        (b"%s#%d" % (name.encode(), unit), number)
        for number, (name, weight) in enumerate(servers)
        for unit in range(weight)
    ]


def ring(points_a_unit: int) -> Build:
    """Points on a ring (Karger et al. 1997)."""

    def build(servers: Servers) -> Find:
        pairs = sorted(
            (_hash(b"%s/%d" % (unit, point)), number)
            for unit, number in _units(servers)
            for point in range(points_a_unit)
        )
        points = array("Q", (point for point, _number in pairs))
        owners = array("I", (number for _point, number in pairs))
        count = len(points)

        def find(key: bytes) -> int:
            at = bisect_right(points, _hash(key))
            return owners[at if at < count else 0]

        return find

    return build


def rendezvous(servers: Servers) -> Find:
    """The highest score (Thaler and Ravishankar 1998), weighted."""
    seeds = [(_hash(name.encode()), float(weight)) for name, weight in servers]
    numbers = range(len(seeds))

    def find(key: bytes) -> int:
        hashed = _hash(key)
        log = math.log
        scores = [-weight / log((_mix(hashed ^ seed) + 1) / 2.0**64) for seed, weight in seeds]
        return max(numbers, key=scores.__getitem__)

    return find


def _mix(value: int) -> int:
    value = ((value ^ (value >> 33)) * 0xFF51AFD7ED558CCD) & _MASK
    value = ((value ^ (value >> 33)) * 0xC4CEB9FE1A85EC53) & _MASK
    return (value ^ (value >> 33)) & (_MASK - 1)


def maglev(servers: Servers) -> Find:
    """A table that the servers fill in turn, each by its own permutation (Eisenbud et al. 2016)."""
    # The same when a server leaves: with another size, nearly all would move.
    size = _prime_above(100 << sum(weight for _name, weight in servers).bit_length())
    table = array("i", [-1]) * size
    orders = [
        (_hash(name.encode()) % size, _hash(name.encode(), 1) % (size - 1) + 1)
        for name, _weight in servers
    ]
    nexts = [0] * len(servers)
    filled = 0
    while True:
        for number, (_name, weight) in enumerate(servers):
            offset, skip = orders[number]
            for _turn in range(weight):
                at = (offset + nexts[number] * skip) % size
                while table[at] >= 0:
                    nexts[number] += 1
                    at = (offset + nexts[number] * skip) % size
                table[at] = number
                nexts[number] += 1
                filled += 1
                if filled == size:
                    return lambda key: table[_hash(key) % size]


def _prime_above(least: int) -> int:
    number = least | 1
    while any(number % factor == 0 for factor in range(3, math.isqrt(number) + 1, 2)):
        number += 2
    return number


def jump(servers: Servers) -> Find:
    """Jump consistent hash (Lamping and Veach 2014): buckets by number, taken from the end only."""
    owners = [number for _unit, number in _units(servers)]
    count = len(owners)

    def find(key: bytes) -> int:
        state, bucket, following = _hash(key), -1, 0
        while following < count:
            bucket = following
            state = (state * 2862933555777941757 + 1) & _MASK
            following = int((bucket + 1) * ((1 << 31) / ((state >> 33) + 1)))
        return owners[bucket]

    return find


def multi_probe(probes: int) -> Build:
    """One point a unit, several probes a key: the nearest wins (Appleton and O'Reilly 2015)."""

    def build(servers: Servers) -> Find:
        pairs = sorted((_hash(unit), number) for unit, number in _units(servers))
        points = [point for point, _number in pairs]
        owners = [number for _point, number in pairs]
        count = len(points)

        def find(key: bytes) -> int:
            nearest, owner = 1 << 65, 0
            for seed in range(probes):
                point = _hash(key, seed * 0x9E3779B97F4A7C15 & _MASK)
                at = bisect_right(points, point)
                distance = points[at] - point if at < count else points[0] + (1 << 64) - point
                if distance < nearest:
                    nearest, owner = distance, owners[at if at < count else 0]
            return owner

        return find

    return build


def anchor(servers: Servers) -> Find:
    """AnchorHash (Mendelson et al. 2020), with room for a tenth more. Buckets are removed by
    `removed`, which must be the same history in every process.
    """
    units = _units(servers)
    return _Anchor(len(units) + len(units) // 10 + 1, [number for _unit, number in units]).find


class _Anchor:
    def __init__(self, capacity: int, owners: list[int]) -> None:
        self._capacity = capacity
        self._owners = owners + [-1] * (capacity - len(owners))
        self._at = [0] * capacity
        self._last = list(range(capacity))
        self._place = list(range(capacity))
        self._next = list(range(capacity))
        self._working = capacity
        for bucket in range(capacity - 1, len(owners) - 1, -1):
            self.remove(bucket)

    def remove(self, bucket: int) -> None:
        self._working -= 1
        self._at[bucket] = self._working
        self._last[self._place[bucket]] = self._last[self._working]
        self._next[bucket] = self._last[self._working]
        self._place[self._last[self._working]] = self._place[bucket]

    def remove_server(self, number: int) -> None:
        for bucket, owner in enumerate(self._owners):
            if owner == number:
                self.remove(bucket)

    def find(self, key: bytes) -> int:
        hashed = _hash(key)
        bucket = hashed % self._capacity
        at = self._at
        while at[bucket] > 0:
            hashed = _mix(hashed ^ (bucket * 0x9E3779B97F4A7C15 & _MASK))
            following = hashed % at[bucket]
            while at[following] >= at[bucket]:
                following = self._next[following]
            bucket = following
        return self._owners[bucket]


def without(build: Build, servers: Servers, leaving: int) -> Find:
    """Return the same algorithm after a server has left. Numbers stay those of before."""
    if build is anchor:
        units = _units(servers)
        anchored = _Anchor(len(units) + len(units) // 10 + 1, [number for _unit, number in units])
        anchored.remove_server(leaving)
        return anchored.find
    left = [pair for number, pair in enumerate(servers) if number != leaving]
    numbers = [number for number in range(len(servers)) if number != leaving]
    find = build(left)
    return lambda key: numbers[find(key)]


ALGORITHMS: dict[str, Build] = {
    "ring, 160 points": ring(160),
    "ring, 40 points": ring(40),
    "weighted rendezvous": rendezvous,
    "Maglev": maglev,
    "AnchorHash": anchor,
    "jump": jump,
    "multi-probe, 21": multi_probe(21),
}
