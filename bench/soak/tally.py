"""Counts what happened, and keeps every wrong thing in words."""

from __future__ import annotations

import threading
import time
from collections import Counter

KEPT = 50


class Tally:
    """Shared by all threads of a soak."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.began = time.monotonic()

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[what] += number

    def note_wrong(self, what: str) -> None:
        """Something that must never happen did."""
        with self._lock:
            self.counts["wrong"] += 1
            if len(self.wrong) < KEPT:
                self.wrong.append(f"at {time.monotonic() - self.began:.1f} s: {what}")

    def table(self) -> str:
        """All counts, one a line."""
        with self._lock:
            return "\n".join(
                f"  {name:32} {count:>14,}" for name, count in sorted(self.counts.items())
            )
