"""Medians, percentiles and ratios of figures. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Figures = Mapping[str, Sequence[float]]
"""Figures of one work by peer, one for each round."""


@dataclass(frozen=True, slots=True)
class Line:
    """One work's outcome. `failures` says why a peer has no figure.

    `ceiling` is the median of what the bare loop reaches, in the unit of the figures; None where
    it says nothing.
    """

    letter: str
    title: str
    unit: str
    more_is_better: bool
    figures: Figures
    failures: Mapping[str, str] = field(default_factory=dict)
    ceiling: float | None = None


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], rank: float) -> float:
    """The value that `rank` per cent do not exceed, by nearest rank. Raises ValueError on none."""
    if not values:
        raise ValueError("no values have no percentile")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * rank / 100) - 1)]


def ratio(line: Line, one: str, other: str) -> float | None:
    """How much better `one` is than `other` (1.0: alike), whichever way is up."""
    if not line.figures.get(one) or not line.figures.get(other):
        return None
    mine, theirs = median(line.figures[one]), median(line.figures[other])
    if not mine or not theirs:
        return None
    return mine / theirs if line.more_is_better else theirs / mine


def best_peer(line: Line, own: str) -> str | None:
    """The best of the others."""
    others = [name for name, values in line.figures.items() if name != own and values]
    if not others:
        return None
    choose = max if line.more_is_better else min
    return choose(others, key=lambda name: median(line.figures[name]))
