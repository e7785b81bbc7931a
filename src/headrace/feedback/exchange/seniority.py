"""Which of several observers decides: the first in the configured order that lives, is awake and
hears enough of the others. Pure.

No election is held: each observer finds the answer from what it hears. Two may find differently for
a moment, or while they do not hear each other; then both decide, by the same function from nearly
the same observations, and nodes go by the newest view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """What counts of an observer: how long ago it was heard, whether it is awake, whom it hears."""

    age_s: float
    awake: bool
    hears: frozenset[str]


def decider(order: Sequence[str], heard: Mapping[str, Heard], most_age_s: float) -> str | None:
    """Return who decides; None when nobody is awake. `heard` has oneself, with age 0.

    An observer that hears fewer than half of all stands behind every one that hears enough.
    """
    living = [
        name
        for name in order
        if name in heard and heard[name].awake and heard[name].age_s <= most_age_s
    ]
    for name in living:
        if enough(order, heard[name].hears):
            return name
    return living[0] if living else None


def enough(order: Sequence[str], hears: frozenset[str]) -> bool:
    """Return whether whoever hears these may decide to the worse: at least half of all."""
    return 2 * len(hears.intersection(order)) >= len(order)
