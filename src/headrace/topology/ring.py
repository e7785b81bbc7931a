"""Consistent hashing: servers have points on a ring, by weight; a shard belongs to the next point.

Pure: the same servers and weights, the same ring, whatever their order.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain

import xxhash

POINTS = 160
"""Points of a server of average weight."""


class Ring:
    """A ring of servers, known by their numbers."""

    __slots__ = ("_count", "_owners", "_points")

    def __init__(self, servers: Sequence[tuple[str, float]]) -> None:
        self._count = len(servers)
        unit = unit_of([weight for _name, weight in servers])
        points = sorted(
            (xxhash.xxh3_64_intdigest(b"%s\0%d" % (name.encode(), number)), name, index)
            for index, (name, weight) in enumerate(servers)
            for number in range(max(1, round(POINTS * weight / unit)))
        )
        self._points = array("Q", (point for point, _name, _index in points))
        self._owners = array("I", (index for _point, _name, index in points))

    def walk(self, shard: bytes) -> Iterator[int]:
        """Yield all servers, in the order in which a shard meets them."""
        at = bisect_right(self._points, xxhash.xxh3_64_intdigest(shard))
        seen = set[int]()
        for index in chain(range(at, len(self._owners)), range(at)):
            owner = self._owners[index]
            if owner not in seen:
                seen.add(owner)
                yield owner
                if len(seen) == self._count:
                    return


def unit_of(weights: Sequence[float]) -> float:
    """Return the weight that has `POINTS` points: a power of two near the average, so that it
    seldom changes when a server comes or leaves.
    """
    average = sum(weights) / len(weights)
    unit = 1.0
    while unit > average:
        unit /= 2
    while unit * 2 <= average:
        unit *= 2
    return unit
