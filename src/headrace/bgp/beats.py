"""Whether somebody who is told that this process lives answers it. Pure: `now` is an argument."""

from __future__ import annotations


class Beats:
    """Beats that were sent, and the answers to them."""

    __slots__ = ("_waits_since_s",)

    def __init__(self) -> None:
        self._waits_since_s: float | None = None

    def sent(self, now_s: float) -> None:
        """Note a beat."""
        if self._waits_since_s is None:
            self._waits_since_s = now_s

    def answered(self) -> None:
        """Note an answer."""
        self._waits_since_s = None

    def deaf_s(self, now_s: float) -> float:
        """Return for how long there was no answer to a beat."""
        return 0.0 if self._waits_since_s is None else now_s - self._waits_since_s
