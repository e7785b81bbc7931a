"""Chance that is the same for a seed, in each process and on each machine."""

from __future__ import annotations

import math
from random import Random

_LARGE = 60.0


def chance_of(seed: int, name: str) -> Random:
    """Return chance of its own for something of a simulation: what others draw changes nothing."""
    return Random(f"{seed}\0{name}")


def draw_count(chance: Random, mean: float) -> int:
    """Return how often something happens that happens `mean` times on the average (Poisson)."""
    if mean <= 0:
        return 0
    if mean > _LARGE:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
