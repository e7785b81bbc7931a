"""The most frequent of many things, in bounded memory: the space-saving sketch. Pure.

(Metwally, Agrawal, El Abbadi: Efficient computation of frequent and top-k elements in data
streams, 2005.) With `capacity` counters, whatever came more often than total / capacity times is
among them, and a count is too high by no more than its `error`, never too low.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heavy:
    """One thing, how often it was counted, and by how much that may be too high."""

    thing: bytes
    count: int
    error: int


class SpaceSaving:
    """At most `capacity` things, each cut at `longest_bytes`, so memory is bounded in bytes."""

    __slots__ = ("_capacity", "_counts", "_heap", "_longest_bytes", "total")

    def __init__(self, capacity: int, longest_bytes: int) -> None:
        self.total = 0
        self._capacity = capacity
        self._longest_bytes = longest_bytes
        self._counts: dict[bytes, list[int]] = {}  # thing -> [count, error]
        # (count, thing) as it was when pushed: counts only grow, so the least entry whose count
        # is still true names the least counter.
        self._heap: list[tuple[int, bytes]] = []

    def add(self, thing: bytes, amount: int = 1) -> None:
        """Count a thing once, or as often as `amount` says (1 at least)."""
        self.total += amount
        thing = thing[: self._longest_bytes]
        known = self._counts.get(thing)
        if known is not None:
            known[0] += amount
            return
        if len(self._counts) < self._capacity:
            self._counts[thing] = [amount, 0]
            heapq.heappush(self._heap, (amount, thing))
            return
        least = self._least()
        count = self._counts.pop(least)[0]
        self._counts[thing] = [count + amount, count]
        heapq.heapreplace(self._heap, (count + amount, thing))

    def top(self, count: int) -> list[Heavy]:
        """Return the `count` most frequent, most first."""
        found = heapq.nlargest(count, self._counts.items(), key=lambda entry: entry[1][0])
        return [Heavy(thing, counted, error) for thing, (counted, error) in found]

    def _least(self) -> bytes:
        while True:
            count, thing = self._heap[0]
            now = self._counts[thing][0]
            if now == count:
                return thing
            heapq.heapreplace(self._heap, (now, thing))
