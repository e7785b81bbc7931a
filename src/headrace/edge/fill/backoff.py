"""How often to look again while another process is in the middle of something, and how often to
ask origins again for one client. Pure."""

from __future__ import annotations

from collections.abc import Iterator

AT_ONCE = 2
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05
MOST_TRIES = 3


def pauses(limit_s: float) -> Iterator[float]:
    """Pauses between looks, in seconds: none at first, then longer ones, `limit_s` in all."""
    for _ in range(AT_ONCE):
        yield 0.0
    pause_s = FIRST_PAUSE_S
    spent_s = 0.0
    while spent_s < limit_s:
        yield pause_s
        spent_s += pause_s
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


class Tries:
    """How many fills one request may begin before any of them brings it a byte.

    An origin that answers each time with something else, or with nothing of use, is not asked
    again for as long as the client waits. Each byte sent makes the count begin again: a large
    body may need many fills.
    """

    __slots__ = ("_left", "_most", "_slices", "again")

    def __init__(self, most: int = MOST_TRIES) -> None:
        self._most = most
        self._left = most
        self._slices: set[int] = set()
        self.again = False

    def take(self, number: int | None = None) -> bool:
        """Return whether one more fetch may begin; if so, it is counted.

        `again` then tells whether slice `number` has been fetched before: that is a retry, which
        the pool's budget may refuse.
        """
        if not self._left:
            return False
        self._left -= 1
        self.again = number in self._slices
        if number is not None:
            self._slices.add(number)
        return True

    def progressed(self) -> None:
        """Something came."""
        self._left = self._most
        self._slices.clear()
