"""What it would save to keep newcomers in memory: `python -m bench.eviction.newcomers`.

Today every object that is fetched is written to the disk. Here it would first be kept in memory,
in a ring of a bounded size, and be written only when it is asked for again: out of the ring, or,
after it has left that, by what S3-FIFO's ghost remembers. Counted are hits, and what is written.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from bench.eviction.simulation import WARM_UP_SHARE
from bench.eviction.traces import MAKERS, Scale, Trace, make_trace
from headrace.cache import eviction
from headrace.simulate.stores import MOST_HITS, MemoryQueues

SCALE = Scale(requests=100_000, titles=10_000)
CACHE_SHARES = (0.05, 0.20)
RING_SHARES = (0.0, 0.005, 0.02, 0.10)
"""Of the store's capacity, and beside it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Shares of what was asked for once the cache was warm, in bytes."""

    hit: float
    written: float


class Store:
    """S3-FIFO on a disk of `capacity_bytes`, behind `ring_bytes` of memory; None: no ring, and
    every newcomer is written.
    """

    def __init__(self, capacity_bytes: int, ring_bytes: int | None) -> None:
        self._capacity_bytes = capacity_bytes
        self._ring_bytes = ring_bytes
        self._queues = MemoryQueues(capacity_bytes)
        self._used_bytes = self._ring_used_bytes = 0
        self._ring: OrderedDict[int, int] = OrderedDict()
        self.written_bytes = 0

    def request(self, entry: int, size_bytes: int) -> bool:
        """Ask for an entry; return whether it was there."""
        held = self._queues.held
        if entry in held:
            held[entry] = min(held[entry] + 1, MOST_HITS)
            return True
        in_ring = self._ring.pop(entry, None)
        if in_ring is not None:
            self._ring_used_bytes -= in_ring
            self._write(entry, size_bytes)
            held[entry] = 1
            return True
        if self._ring_bytes is None or self._queues.ghost_take(entry):
            self._write(entry, size_bytes, again=self._ring_bytes is not None)
        else:
            self._keep(entry, size_bytes, self._ring_bytes)
        return False

    def _keep(self, entry: int, size_bytes: int, ring_bytes: int) -> None:
        self._ring[entry] = size_bytes
        self._ring_used_bytes += size_bytes
        while self._ring_used_bytes > ring_bytes:
            oldest, oldest_bytes = self._ring.popitem(last=False)
            self._ring_used_bytes -= oldest_bytes
            self._queues.ghost_add(oldest, oldest_bytes)

    def _write(self, entry: int, size_bytes: int, *, again: bool = False) -> None:
        while self._used_bytes + size_bytes > self._capacity_bytes:
            victim = eviction.evict_one(self._queues, self._capacity_bytes)
            assert victim is not None, "an entry is larger than the store"
            del self._queues.held[victim[0]]
            self._used_bytes -= victim[1]
        if again:
            self._queues.ghost_add(entry, size_bytes)  # it goes to MAIN
        eviction.insert(self._queues, entry, size_bytes)
        self._used_bytes += size_bytes
        self.written_bytes += size_bytes


def played(trace: Trace, store: Store) -> Outcome:
    """Play the whole trace; count after its first quarter, which only warms the cache."""
    numbers = {name: number for number, name in enumerate(trace.sizes)}
    warm_from = int(len(trace.requests) * WARM_UP_SHARE)
    asked_bytes = hit_bytes = before_bytes = 0
    for position, name in enumerate(trace.requests):
        if position == warm_from:
            asked_bytes = hit_bytes = 0
            before_bytes = store.written_bytes
        size_bytes = trace.sizes[name]
        asked_bytes += size_bytes
        if store.request(numbers[name], size_bytes):
            hit_bytes += size_bytes
    written_bytes = store.written_bytes - before_bytes
    return Outcome(hit_bytes / asked_bytes, written_bytes / asked_bytes)


def rows(seed: int, scale: Scale) -> Iterator[str]:
    """Lines of a table in Markdown: of what was asked for, hit and written in per cent."""
    rings = " | ".join(f"ring {share:.1%}" for share in RING_SHARES)
    yield f"| trace | store | all are written | {rings} |"
    yield "|---|--:|" + "--:|" * (1 + len(RING_SHARES))
    for name in MAKERS:
        trace = make_trace(name, seed=seed, scale=scale, mixed_sizes=False)
        for share in CACHE_SHARES:
            capacity_bytes = int(trace.footprint_bytes * share)
            stores = [Store(capacity_bytes, None)]
            stores += [Store(capacity_bytes, int(capacity_bytes * ring)) for ring in RING_SHARES]
            found = [played(trace, store) for store in stores]
            cells = (f"{100 * one.hit:.1f}, {100 * one.written:.1f}" for one in found)
            yield f"| {name} | {share:.0%} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.eviction.newcomers", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    for row in rows(parser.parse_args().seed, SCALE):
        print(row, flush=True)


if __name__ == "__main__":
    main()
