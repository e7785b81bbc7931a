"""Whether somebody who is told that this process lives answers it. Pure: `now` is an argument."""

from __future__ import annotations

FLOODED = 10


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


def owes_for_too_long(asked_s: float, heard_s: float, answer_s: float, now_s: float) -> bool:
    """Return whether who was asked hangs, and was heard the last time at `heard_s`. Who says much
    else meanwhile, as when a router floods it, may have its answer behind what is not read yet.
    """
    return now_s - max(asked_s, heard_s) > answer_s or now_s - asked_s > FLOODED * answer_s
