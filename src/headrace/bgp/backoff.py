"""How long to wait before something that failed is tried again. Pure."""

from __future__ import annotations

FIRST_S = 0.2
MOST_S = 10.0
SOUND_S = MOST_S
"""Not shorter than any wait: what fails soon after each start, however it looked meanwhile, waits
longer and longer."""
STEADY_S = 30.0


class Backoff:
    """Waits that double, from 0.2 s to 10 s. They start over after 10 s in which it did what it is
    for, or 30 s without a failure.
    """

    __slots__ = ("_last_s", "_wait_s")

    def __init__(self) -> None:
        self._wait_s = 0.0
        self._last_s = float("-inf")

    def failed(self, now_s: float, sound_since_s: float | None = None) -> float:
        """Return how long to wait after a failure now, of what did its work since a time (None: it
        did not).
        """
        sound_s = 0.0 if sound_since_s is None else now_s - sound_since_s
        if sound_s >= SOUND_S or now_s - self._last_s > STEADY_S:
            self._wait_s = 0.0
        self._last_s = now_s
        self._wait_s = min(MOST_S, max(FIRST_S, self._wait_s * 2))
        return self._wait_s
