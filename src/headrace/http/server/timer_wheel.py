"""Time limits for many connections at almost no cost per request.

A connection writes its next limit into its own `deadline` attribute, which is all the request
path pays. It stands in one bucket of a coarse wheel; when the bucket comes up, the limit is
checked, and a connection whose limit has moved on is put into a later bucket.
"""

from __future__ import annotations

import math
from typing import Protocol

UNWATCHED = -1


class Limited(Protocol):
    """Something with a time limit. `deadline` is a monotonic time in seconds.

    `bucket` belongs to the wheel; it begins as UNWATCHED.
    """

    deadline: float
    bucket: int

    def on_deadline(self, now: float) -> None:
        """End, or set a later `deadline` to be asked again: the limit passed."""


class TimerWheel:
    """A wheel of one-tick buckets. `tick` is to be called about once per `tick_s`."""

    def __init__(self, tick_s: float = 0.25) -> None:
        self.tick_s = tick_s
        self._buckets: dict[int, set[Limited]] = {}
        self._last = 0

    def watch(self, item: Limited) -> None:
        """Begin to watch, or see to a deadline that moved nearer than it was.

        An infinite deadline is not watched; who sets a finite one later calls this again.
        """
        if item.deadline == math.inf:
            self.forget(item)
            return
        number = max(int(item.deadline / self.tick_s) + 1, self._last + 1)
        if item.bucket == UNWATCHED or number < item.bucket:
            if item.bucket != UNWATCHED:
                self.forget(item)
            item.bucket = number
            bucket = self._buckets.get(number)
            if bucket is None:
                self._buckets[number] = {item}
            else:
                bucket.add(item)

    def forget(self, item: Limited) -> None:
        """Stop watching, and hold the item no longer.

        A connection that was closed would else keep its memory, with OpenSSL's, until its bucket
        comes up, and each new one would begin in memory that no processor has in its cache.
        """
        bucket = self._buckets.get(item.bucket)
        if bucket is not None:
            bucket.discard(item)
        item.bucket = UNWATCHED

    def tick(self, now: float) -> None:
        """Call `on_deadline` of every watched item whose deadline has passed."""
        self._last = int(now / self.tick_s)
        for number in sorted(key for key in self._buckets if key <= self._last):
            bucket = self._buckets[number]
            while bucket:  # what a fault leaves is visited in the next tick
                self._visit(bucket.pop(), now)
            del self._buckets[number]

    def _visit(self, item: Limited, now: float) -> None:
        try:
            if item.deadline <= now:
                item.on_deadline(now)
        finally:  # one that could not end is asked again
            if item.bucket != UNWATCHED:
                item.bucket = UNWATCHED
                self.watch(item)
