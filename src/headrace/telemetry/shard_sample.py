"""Which shards of each class draw most, by a sample of the requests. Pure: time is an argument.

Two windows are kept, the present and the one before, so that what is said neither jumps when one
ends nor speaks of long ago.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from headrace.telemetry.heavy import SpaceSaving
from headrace.telemetry.load_report import MOST_SHARDS, SHARD_LETTERS

WINDOW_S = 10.0
CAPACITY = 512
LEAST_SHARE = 0.002
MOST_LETTERS = 20_000
"""Of all shards' names in a report: what clients ask for they may choose long."""

_LONGEST_BYTES = SHARD_LETTERS + 65
_MOST_CLASSES = 256


class HeavyShard(msgspec.Struct, array_like=True):
    """A shard, its name as text in which each letter is a byte, and what it was counted for."""

    content: str
    shard: str
    amount: int


class ShardCounts(msgspec.Struct):
    """What one worker knows: the heavy ones, and by class all that was sampled."""

    heavy: list[HeavyShard] = []
    totals: dict[str, int] = {}


class _Window:
    __slots__ = ("began_s", "shards", "totals")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.shards = SpaceSaving(CAPACITY, _LONGEST_BYTES)
        self.totals: Counter[str] = Counter()


class ShardSample:
    """What one worker samples."""

    def __init__(self) -> None:
        self._before: _Window | None = None
        self._now: _Window | None = None

    def add(self, content: str, shard: bytes, amount: int, now_s: float) -> None:
        """Count a request for a shard, which weighs so many bytes."""
        window = self._now
        if window is None or now_s - window.began_s >= WINDOW_S:
            window = self._turn(now_s)
        if content not in window.totals and len(window.totals) >= _MOST_CLASSES:
            return
        amount = max(amount, 1)
        window.totals[content] += amount
        if len(shard) <= SHARD_LETTERS:
            window.shards.add(b"%s\n%s" % (content.encode(), shard), amount)

    def counts(self, now_s: float) -> ShardCounts:
        """Return what is known of the last one or two windows."""
        found: Counter[tuple[str, str]] = Counter()
        totals: Counter[str] = Counter()
        for window in (self._before, self._now):
            if window is None or now_s - window.began_s > 2 * WINDOW_S:
                continue
            totals.update(window.totals)
            for one in window.shards.top(MOST_SHARDS):
                # What it had for sure, so that all together are never more than the whole.
                sure = one.count - one.error
                if sure:
                    content, _end, shard = one.thing.partition(b"\n")
                    found[content.decode(), shard.decode("latin-1")] += sure
        return ShardCounts(
            [HeavyShard(*of, amount) for of, amount in found.most_common(MOST_SHARDS)],
            dict(totals),
        )

    def _turn(self, now_s: float) -> _Window:
        self._before, self._now = self._now, _Window(now_s)
        return self._now


def shares(parts: Iterable[ShardCounts]) -> Mapping[str, dict[str, float]]:
    """Return each heavy shard's share of its class, over all workers."""
    amounts: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    for part in parts:
        totals.update(part.totals)
        for one in part.heavy:
            amounts[one.content, one.shard] += one.amount
    found: dict[str, dict[str, float]] = {}
    letters = MOST_LETTERS
    for (content, shard), amount in amounts.most_common(MOST_SHARDS):
        share = amount / max(totals[content], amount)
        letters -= len(shard)
        if share >= LEAST_SHARE and letters >= 0:
            found.setdefault(content, {})[shard] = share
    return found
