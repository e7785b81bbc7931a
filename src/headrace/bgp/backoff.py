"""How long to wait before something that failed is tried again. Pure."""

from __future__ import annotations

FIRST_S = 0.2
MOST_S = 10.0
STEADY_S = 30.0


class Backoff:
    """Waits that double, from 0.2 s to 10 s, and start over after 30 s without a failure."""

    __slots__ = ("_last_s", "_wait_s")

    def __init__(self) -> None:
        self._wait_s = 0.0
        self._last_s = float("-inf")

    def failed(self, now_s: float) -> float:
        """Return how long to wait after a failure now."""
        if now_s - self._last_s > STEADY_S:
            self._wait_s = 0.0
        self._last_s = now_s
        self._wait_s = min(MOST_S, max(FIRST_S, self._wait_s * 2))
        return self._wait_s
