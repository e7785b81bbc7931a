"""W-TinyLFU (Einziger et al., ACM TOS 2017; Caffeine): a small LRU window before a segmented LRU,
with admission by a count-min sketch of recent frequency.

As in Caffeine, a candidate from the window is compared with one victim after another until there
is room or it loses. The window is fixed at 1 %; Caffeine's hill climber is not modelled.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict

WINDOW_SHARE = 0.01
PROTECTED_SHARE = 0.8
COUNTER_MAX = 15
SAMPLE_PER_COUNTER = 10
TYPICAL_ENTRY_BYTES = 2_000_000
MIXERS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)


class FrequencySketch:
    """Count-min with four rows of saturating counters, all halved after each sample."""

    def __init__(self, expected_entries: int) -> None:
        self._bits = max(6, (max(1, expected_entries) - 1).bit_length())
        self._rows = [bytearray(1 << self._bits) for _ in MIXERS]
        self._sample = SAMPLE_PER_COUNTER << self._bits
        self._counted = 0

    def count(self, entry: bytes) -> None:
        """One request more; only the smallest counters grow."""
        places = self._places(entry)
        smallest = min(row[place] for row, place in zip(self._rows, places, strict=True))
        if smallest == COUNTER_MAX:
            return
        for row, place in zip(self._rows, places, strict=True):
            if row[place] == smallest:
                row[place] += 1
        self._counted += 1
        if self._counted >= self._sample:
            self._age()

    def estimate(self, entry: bytes) -> int:
        """Requests seen lately, never too few but for ageing; at most 15."""
        places = self._places(entry)
        return min(row[place] for row, place in zip(self._rows, places, strict=True))

    def _places(self, entry: bytes) -> list[int]:
        # Not hash(): it differs from run to run.
        number = zlib.crc32(entry)
        shift = 32 - self._bits
        return [((number * mixer) & 0xFFFFFFFF) >> shift for mixer in MIXERS]

    def _age(self) -> None:
        halves = bytes(value >> 1 for value in range(256))
        self._rows = [row.translate(halves) for row in self._rows]
        self._counted //= 2


class WindowTinyLfu:
    """Window, probation and protected, each in LRU order; bytes decide who has to go."""

    def __init__(self, capacity_bytes: int) -> None:
        self._window_limit = int(capacity_bytes * WINDOW_SHARE)
        self._main_limit = capacity_bytes - self._window_limit
        self._protected_limit = int(self._main_limit * PROTECTED_SHARE)
        self._sketch = FrequencySketch(capacity_bytes // TYPICAL_ENTRY_BYTES)
        self._window: OrderedDict[bytes, int] = OrderedDict()
        self._probation: OrderedDict[bytes, int] = OrderedDict()
        self._protected: OrderedDict[bytes, int] = OrderedDict()
        self._window_bytes = 0
        self._protected_bytes = 0
        self._main_bytes = 0

    def request(self, entry: bytes, size_bytes: int) -> bool:
        self._sketch.count(entry)
        if entry in self._window:
            self._window.move_to_end(entry)
            return True
        if entry in self._protected:
            self._protected.move_to_end(entry)
            return True
        if entry in self._probation:
            self._promote(entry)
            return True
        self._window[entry] = size_bytes
        self._window_bytes += size_bytes
        self._shrink_window()
        return False

    def held(self) -> dict[bytes, int]:
        return {**self._window, **self._probation, **self._protected}

    def _promote(self, entry: bytes) -> None:
        size_bytes = self._probation.pop(entry)
        self._protected[entry] = size_bytes
        self._protected_bytes += size_bytes
        while self._protected_bytes > self._protected_limit:
            demoted, demoted_bytes = self._protected.popitem(last=False)
            self._protected_bytes -= demoted_bytes
            self._probation[demoted] = demoted_bytes

    def _shrink_window(self) -> None:
        while self._window_bytes > self._window_limit:
            candidate, size_bytes = self._window.popitem(last=False)
            self._window_bytes -= size_bytes
            if self._admits(candidate, size_bytes):
                self._probation[candidate] = size_bytes
                self._main_bytes += size_bytes

    def _admits(self, candidate: bytes, size_bytes: int) -> bool:
        """Evict what the candidate beats until it fits; False when it loses first."""
        frequency = self._sketch.estimate(candidate)
        while self._main_bytes + size_bytes > self._main_limit:
            queue = self._probation or self._protected
            if not queue:
                return False
            victim = next(iter(queue))
            if frequency <= self._sketch.estimate(victim):
                return False
            victim_bytes = queue.pop(victim)
            self._main_bytes -= victim_bytes
            if queue is self._protected:
                self._protected_bytes -= victim_bytes
        return True
