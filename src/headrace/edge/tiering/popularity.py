"""How often an object was asked for lately, about. Pure: the time is an argument.

A count-min sketch for each of two windows: it takes the same memory however many objects there are,
and never counts too few. What it counts too many of by chance is stored a little earlier.
"""

from __future__ import annotations

ROWS = 4
WIDTH = 16384
MOST = 255


class Popularity:
    """Counts by 16-byte key hashes, over the present window and the one before."""

    __slots__ = ("_before", "_began", "_now", "window_s")

    def __init__(self, window_s: float = 300.0) -> None:
        self.window_s = window_s
        self._began: float | None = None
        self._now = bytearray(ROWS * WIDTH)
        self._before = bytearray(ROWS * WIDTH)

    def count(self, key_hash: bytes, now: float) -> int:
        """Count one more, and return how many there were."""
        self._turn(now)
        places = [
            row * WIDTH + int.from_bytes(key_hash[4 * row : 4 * row + 4], "big") % WIDTH
            for row in range(ROWS)
        ]
        fewest = min(self._now[place] for place in places)
        if fewest < MOST:
            fewest += 1
            for place in places:
                # Only those that are the fewest: what others share is not counted again.
                self._now[place] = max(self._now[place], fewest)
        return fewest + min(self._before[place] for place in places)

    def _turn(self, now: float) -> None:
        if self._began is None:
            self._began = now
        windows = int((now - self._began) // self.window_s)
        if windows <= 0:
            return
        self._began += windows * self.window_s
        self._before = self._now if windows == 1 else bytearray(ROWS * WIDTH)
        self._now = bytearray(ROWS * WIDTH)
