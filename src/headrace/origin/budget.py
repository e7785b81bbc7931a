"""How many retries a pool may cause: a share of its requests, so that trouble is not multiplied.

Pure: the time is an argument.
"""

from __future__ import annotations

RESERVE_PER_S = 1.0
LARGEST = 100.0
AT_FIRST = 10.0


class Budget:
    """Retries as a share of requests: each request earns `ratio` of one, and time a little."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self._tokens = AT_FIRST
        self._at: float | None = None

    def request(self, now: float) -> None:
        self._tokens = min(LARGEST, self._tokens + self.ratio)
        self._reserve(now)

    def take(self, now: float) -> bool:
        """Whether one retry more is within the budget; it is spent."""
        self._reserve(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _reserve(self, now: float) -> None:
        # Without it a pool that is seldom asked could never retry.
        gained = 0.0 if self._at is None else max(0.0, now - self._at) * RESERVE_PER_S
        self._at = now
        self._tokens = min(LARGEST, self._tokens + gained)
