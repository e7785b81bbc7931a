"""Whether a client sends its request's body fast enough, over the whole of it.

What must hold: time counts only while the client is waited for, and it continues to count from one
wait to the next. A client that sends a byte whenever its time is nearly up gains nothing by it,
and one whose body is not read, because the origin is slow, loses nothing.
"""

from __future__ import annotations


class BodyPace:
    """The time waited for a body in the present window, and the bytes that had come before it.

    All times are monotonic, in seconds.
    """

    __slots__ = ("_mark", "_waited_s", "_waits_since", "_window_s")

    def __init__(self, received: int, window_s: float) -> None:
        self._mark = received
        self._window_s = window_s
        self._waited_s = 0.0
        self._waits_since = 0.0

    def wait(self, now: float) -> float:
        """Begin a wait; return when the window will be full if it does not end."""
        self._waits_since = now
        return now + max(0.0, self._window_s - self._waited_s)

    def got(self, now: float) -> None:
        """End the wait."""
        self._waited_s += now - self._waits_since

    def is_too_slow(self, now: float, received: int, min_rate_bytes_per_s: float) -> bool:
        """Return, during a wait, whether the window is full and too little came in it.

        `received` counts all bytes until now. A full window makes way for the next one.
        """
        if self._waited_s + now - self._waits_since < self._window_s:
            return False
        came, self._mark = received - self._mark, received
        self._waited_s = 0.0
        self._waits_since = now
        return came < min_rate_bytes_per_s * self._window_s
