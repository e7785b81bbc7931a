"""Events that a router can bring about as often as it likes, told only so often. Pure."""

from __future__ import annotations

BURST = 10
EACH_S = 30.0


class Quiet:
    """Ten at once for each router, then one each thirty seconds; those not told are counted."""

    def __init__(self) -> None:
        self._left: dict[object, tuple[float, float]] = {}
        self._skipped: dict[object, int] = {}

    def skipped(self, about: object, now: float) -> int | None:
        """Return how many were not told before one that is told now; None: do not tell it."""
        left, then = self._left.get(about, (float(BURST), now))
        left = min(float(BURST), left + max(0.0, now - then) / EACH_S)
        if left < 1.0:
            self._left[about] = (left, now)
            self._skipped[about] = self._skipped.get(about, 0) + 1
            return None
        self._left[about] = (left - 1.0, now)
        return self._skipped.pop(about, 0)
