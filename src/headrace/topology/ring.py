"""Consistent hashing: servers have points on a ring, by weight; a shard belongs to the next point.

A point's arc reaches from the point before up to it. Pure: the same servers and weights make the
same ring, whatever their order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, islice

import xxhash

POINTS = 64
"""Points of a server of usual capacity."""

USUAL_BPS = 10e9
LEAST_POINTS = 64
MOST_POINTS = 1024

CIRCLE = 2.0**64

_PARTS = 8
_MOST_PARTS = 64
_SCRAMBLE = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Ring:
    """A ring of servers, known by their numbers in `servers`, which are sorted by name.

    By the number of an arc: `points` has where it ends, `homes` its server, `sizes` its share of
    the circle, `ranks` its place in an order that has nothing to do with where it is. `first` has
    for each of so many equal parts of the circle the first arc that ends in it or behind it; the
    part of a point is what `shift` leaves of it.
    """

    __slots__ = ("count", "first", "homes", "points", "ranks", "shift", "sizes")

    def __init__(self, servers: Sequence[tuple[str, float]]) -> None:
        points = _cut(_points_of(servers), [weight for _name, weight in servers])
        ends = [point for point, _server in points]
        before = [ends[-1] - (1 << 64), *ends[:-1]]
        self.count = len(servers)
        self.points: Sequence[int] = array("Q", ends)
        self.homes: Sequence[int] = array("I", [server for _point, server in points])
        self.sizes: Sequence[float] = array(
            "d", [(at - was) / CIRCLE for at, was in zip(ends, before, strict=True)]
        )
        self.ranks: Sequence[int] = array("Q", [(point * _SCRAMBLE) & _MASK for point in ends])
        # About one arc ends in each part, so that few are left to search.
        bits = len(points).bit_length()
        self.shift = 64 - bits
        self.first: Sequence[int] = _first(ends, self.shift, 1 << bits)

    @classmethod
    def of(
        cls,
        count: int,
        points: Sequence[int],
        homes: Sequence[int],
        sizes: Sequence[float],
        ranks: Sequence[int],
        first: Sequence[int],
    ) -> Ring:
        """Return a ring that was made before."""
        ring = object.__new__(cls)
        ring.count, ring.points, ring.homes = count, points, homes
        ring.sizes, ring.ranks, ring.first = sizes, ranks, first
        ring.shift = 64 - (len(first).bit_length() - 1)
        return ring

    def arc_of(self, shard: bytes) -> int:
        """Return the number of the arc that a shard is in."""
        point = xxhash.xxh3_64_intdigest(shard)
        points, arc = self.points, self.first[point >> self.shift]
        try:
            while points[arc] <= point:
                arc += 1
        except IndexError:  # behind the last point comes the first one
            return 0
        return arc

    def walk(self, arc: int) -> Iterator[int]:
        """Yield all servers, in the order in which they are met from an arc on."""
        homes = self.homes
        seen = set[int]()
        for index in chain(range(arc, len(homes)), range(arc)):
            server = homes[index]
            if server not in seen:
                seen.add(server)
                yield server
                if len(seen) == self.count:
                    return


def _points_of(servers: Sequence[tuple[str, float]]) -> list[tuple[int, int]]:
    """Return the points, each with its server's number."""
    # Of two servers with the same point, which hardly ever happens, the first by name comes first.
    return sorted(
        (xxhash.xxh3_64_intdigest(b"%s\0%d" % (name.encode(), number)), server)
        for server, (name, weight) in enumerate(servers)
        for number in range(points_of(weight))
    )


def _first(ends: Sequence[int], shift: int, parts: int) -> array[int]:
    """Return for each part of the circle how many arcs end before it."""
    counts = [0] * (parts + 1)
    for end in ends:
        counts[(end >> shift) + 1] += 1
    return array("I", islice(accumulate(counts), parts))


def _cut(points: list[tuple[int, int]], weights: list[float]) -> list[tuple[int, int]]:
    """Cut arcs that are large for their servers, so that these can keep a part of them."""
    total = sum(weights)
    largest = [CIRCLE * weight / total / _PARTS for weight in weights]
    cut = []
    before = points[-1][0] - (1 << 64)
    for point, server in points:
        size = point - before
        if size > largest[server]:
            parts = min(int(size / largest[server]) + 1, _MOST_PARTS)
            cut += [((before + size * part // parts) & _MASK, server) for part in range(1, parts)]
        cut.append((point, server))
        before = point
    cut.sort()
    return cut


def points_of(weight: float) -> int:
    """Return how many points a server has: by its own weight alone.

    Were they counted by the weights of others too, a server that joins or leaves could move half of
    all shards. So what is out of proportion, of very small or large servers, is left to
    `bounded_loads`.
    """
    return min(max(round(POINTS * weight / USUAL_BPS), LEAST_POINTS), MOST_POINTS)
