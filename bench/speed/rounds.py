"""What rounds of slices say: spreads, ratios within a round, and how sure they are. Pure.

Within a round all servers did the same work within seconds. What slows the machine for minutes
slows all of them, and leaves the ratios of a round as they are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

LEVEL = 0.95
RESAMPLES = 400
LOW, HIGH = 5.0, 95.0
ByRound = Mapping[int, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, and between which values the middle nine tenths lie."""

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Interval:
    """The true median lies between these, with `sureness` (0 to 1)."""

    median: float
    low: float
    high: float
    sureness: float


def quantile(values: Sequence[float], rank: float) -> float:
    """The value at `rank` per cent, between neighbours in proportion.

    Raises ValueError on none, and for ranks that there are not.
    """
    if not values or not 0 <= rank <= 100:
        raise ValueError("a quantile needs values, and a rank from 0 to 100")
    ordered = sorted(values)
    place = (len(ordered) - 1) * rank / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    share = place - below
    # Within the neighbours, whatever rounding does.
    value = ordered[below] * (1 - share) + ordered[above] * share
    return min(max(value, ordered[below]), ordered[above])


def spread(values: Sequence[float]) -> Spread:
    """Return median and range. Raises ValueError on none."""
    return Spread(quantile(values, 50), quantile(values, LOW), quantile(values, HIGH), len(values))


def ratios(mine: ByRound, theirs: ByRound, *, more_is_better: bool) -> list[float]:
    """How much better one is in each round that both have (1.0: alike), whichever way is up."""
    found = []
    for number in sorted(mine.keys() & theirs.keys()):
        one, other = mine[number], theirs[number]
        if one > 0 and other > 0:
            found.append(one / other if more_is_better else other / one)
    return found


def against(mine: ByRound, theirs: ByRound, *, more_is_better: bool) -> Spread | None:
    """The ratios of all rounds; None when no round has both."""
    found = ratios(mine, theirs, more_is_better=more_is_better)
    return spread(found) if found else None


def interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Where the true median lies, whatever the values' distribution: between two of them.

    That it lies outside both ends is as likely as that few or most coins of so many show heads.
    With too few values for `level`, all of them are spanned and the sureness says what that is
    worth. Raises ValueError on none.
    """
    ordered = sorted(values)
    count = len(ordered)
    middle = quantile(ordered, 50)
    outside = 0.5**count  # of one side, for the span from the first value to the last
    left_out = 0
    while left_out + 1 < (count + 1) // 2:
        more = outside + math.comb(count, left_out + 1) * 0.5**count
        if 1 - 2 * more < level:
            break
        outside = more
        left_out += 1
    return Interval(
        middle, ordered[left_out], ordered[count - 1 - left_out], max(0.0, 1 - 2 * outside)
    )


def pooled(by_round: Mapping[int, Sequence[float]], rounds: Iterable[int], rank: float) -> float:
    """The nearest-rank percentile of what these rounds found together, each as often as named.

    Raises ValueError when they found nothing.
    """
    values = sorted(value for number in rounds for value in by_round[number])
    if not values:
        raise ValueError("no values have no percentile")
    return values[max(0, math.ceil(len(values) * rank / 100) - 1)]


def tail_ratio(
    mine: Mapping[int, Sequence[float]], theirs: Mapping[int, Sequence[float]], rank: float
) -> Spread | None:
    """How much lower one's percentile is, over all rounds; None when no round has both.

    A slice holds too few answers for p99.9, so those of all rounds are taken together. The range is
    what other rounds like these would find: rounds are drawn again, with repetition, the same for
    both (a bootstrap in pairs).
    """
    rounds = sorted(number for number in mine.keys() & theirs.keys() if mine[number])
    rounds = [number for number in rounds if theirs[number]]
    if not rounds:
        return None
    chance = random.Random(len(rounds))
    drawn = []
    for _ in range(RESAMPLES):
        again = chance.choices(rounds, k=len(rounds))
        drawn.append(pooled(theirs, again, rank) / pooled(mine, again, rank))
    whole = pooled(theirs, rounds, rank) / pooled(mine, rounds, rank)
    return Spread(whole, quantile(drawn, LOW), quantile(drawn, HIGH), len(rounds))


def turn(members: Sequence[T], number: int) -> list[T]:
    """All members, beginning with another in each round."""
    start = number % len(members) if members else 0
    return [*members[start:], *members[:start]]
