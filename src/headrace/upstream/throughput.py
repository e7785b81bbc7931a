"""Whether a body comes fast enough. Pure: how long each piece was waited for is an argument."""

from __future__ import annotations

from collections import deque

STEPS = 10


class RateWatch:
    """The bytes of the last `window_s` seconds of waiting, in steps of a tenth of it.

    Only time spent waiting counts: a reader that is slow itself does not blame the sender.
    """

    def __init__(self, least_bytes_per_s: float, window_s: float) -> None:
        self._least = least_bytes_per_s
        self._window_s = window_s
        self._step_s = window_s / STEPS
        self._steps: deque[tuple[float, int]] = deque(maxlen=STEPS)
        self._waited_s = 0.0
        self._bytes = 0

    def too_slow(self, waited_s: float, size_bytes: int) -> bool:
        """Note a piece; return whether the last window brought less than it should have."""
        self._waited_s += waited_s
        self._bytes += size_bytes
        if self._waited_s < self._step_s:
            return False
        self._steps.append((self._waited_s, self._bytes))
        self._waited_s, self._bytes = 0.0, 0
        waited = sum(step[0] for step in self._steps)
        if waited < self._window_s * (1 - 1e-9):
            return False
        return sum(step[1] for step in self._steps) < self._least * waited
