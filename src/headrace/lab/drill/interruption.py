"""How long new connections did not work, from requests that were begun every few milliseconds.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.lab.drill.records import Attempt

LASTING_S = 0.5
"""Successes that follow each other for so long say that it works again."""
LASTING_ROW = 5
"""And there have to be so many of them."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """From the beginning of the first request that failed to that of the first which succeeded, of
    a lasting row. `works_again_s` counts from the event; both are None where it stayed broken.
    """

    works_again_s: float | None
    lasted_s: float | None


NONE = Interruption(0.0, 0.0)


def failed(one: Attempt) -> bool:
    """Return whether a request brought nothing, or the wrong thing."""
    return one.outcome not in ("ok", "refrained")


def interruption(
    attempts: Sequence[Attempt], event_s: float, until_s: float = float("inf")
) -> Interruption:
    """Return the first interruption of one VIP, as one client saw it, by requests that were open
    at the event or begun since, and before `until_s`. `attempts` are in the order of their
    beginnings.
    """
    judged = [
        one
        for one in attempts
        if one.outcome != "refrained" and one.ended_s >= event_s and one.began_s < until_s
    ]
    first = next((index for index, one in enumerate(judged) if failed(one)), None)
    if first is None:
        return NONE
    began_s = max(event_s, judged[first].began_s)
    after = judged[first + 1 :]
    start: int | None = None
    for index, one in enumerate(after):
        if failed(one):
            start = None
            continue
        start = index if start is None else start
        if _lasts(after[start : index + 1]):
            break
    # A row that the end of the watch cuts off is believed if it has enough of them.
    if start is None or len(after) - start < LASTING_ROW:
        return Interruption(None, None)
    # What was begun before the event, beside a request that it broke, may be first of the row.
    again_s = max(after[start].began_s, event_s)
    return Interruption(again_s - event_s, max(0.0, again_s - began_s))


def _lasts(row: Sequence[Attempt]) -> bool:
    return len(row) >= LASTING_ROW and row[-1].began_s - row[0].began_s >= LASTING_S
