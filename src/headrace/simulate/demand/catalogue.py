"""A catalogue: titles by popularity (Zipf), which falls with time for those released lately."""

from __future__ import annotations

import itertools
import math
from bisect import bisect
from random import Random

from headrace.config.scenario.demand import DAY_S, CatalogueTable
from headrace.simulate.content import Kind, Title

_TIMES_A_HALF_LIFE = 24
_LONGEST_S = 3600.0


class Catalogue:
    """Draws titles. With `scale` below 1 it has only so many of them, evenly over all ranks, as
    miniature simulations of caches do (Waldspurger et al., USENIX ATC 2017).
    """

    def __init__(
        self, table: CatalogueTable, kind: Kind, chance: Random, *, scale: float, length_s: float
    ) -> None:
        self.kind = kind
        self.table = table
        self._chance = chance
        count = max(1, round(table.titles * scale))
        self._weights = [((rank + 0.5) / scale + 0.5) ** -table.zipf for rank in range(count)]
        self._chunks = max(1, math.ceil(table.length_s / table.chunk_s))
        self._titles: dict[int, Title] = {}
        self._released: list[float] = []
        if table.new_per_day:
            each_s = DAY_S / (table.new_per_day * scale)
            order = list(range(count))
            chance.shuffle(order)
            self._released = [0.0] * count
            for place, rank in enumerate(order):
                self._released[rank] = length_s - place * each_s
        self._until = -math.inf
        self._sums: list[float] = []

    def draw(self, now: float, numbers: itertools.count[int]) -> Title:
        """Return a title to be watched; `numbers` has the numbers for titles that are new here."""
        if now >= self._until:
            self._weigh(now)
        sums = self._sums
        rank = min(bisect(sums, self._chance.random() * sums[-1]), len(sums) - 1)
        title = self._titles.get(rank)
        if title is None:
            name = f"{self.table.name}-{rank}"
            title = Title(self.kind, next(numbers), name, self._chunks)
            self._titles[rank] = title
        return title

    def _weigh(self, now: float) -> None:
        """Work out how popular each title is for now."""
        if not self._released:
            self._until = math.inf
            self._sums = list(itertools.accumulate(self._weights))
            return
        half_life_s, old = self.table.half_life_s, self.table.old_share
        self._until = now + min(half_life_s / _TIMES_A_HALF_LIFE, _LONGEST_S)
        weights = (
            weight * (old + (1 - old) * 0.5 ** ((now - at) / half_life_s)) if at <= now else 0.0
            for weight, at in zip(self._weights, self._released, strict=True)
        )
        self._sums = list(itertools.accumulate(weights))
        if not self._sums[-1]:  # nothing is released yet: what comes first is all there is
            first = min(self._released)
            self._sums = list(itertools.accumulate(float(at == first) for at in self._released))
