"""Sums of the flows of several workers, which count the same ones in orders of their own.

There may be a thousand flows and eight workers, twice a second, on a loop that has other things to
do: so numbers are put in order and added by functions that are written in C.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from headrace.telemetry.flows import Pair
from headrace.telemetry.load_report import MOST_PAIRS
from headrace.telemetry.worker_load import WorkerLoad

MOST_ORDERED = 16 * MOST_PAIRS

Sums = tuple[list[int], list[int]]
"""Bytes and requests, each in the order of `FlowOrder.pairs`."""


class FlowOrder:
    """One order of all flows that any worker counts, and the names of those of each table."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.generation = 0
        """Grows when the order begins again."""
        self.coverages: set[str] = set()
        """Of all pairs."""
        self._number: dict[Pair, int] = {}
        self._tables: dict[str, list[Pair]] = {}
        self._getters: dict[str, tuple[int, int, Callable[[list[int]], Any]]] = {}

    @property
    def known(self) -> dict[str, int]:
        """Return of how many flows the names are known, by table."""
        return {table: len(pairs) for table, pairs in self._tables.items()}

    def take(self, workers: Mapping[str, WorkerLoad]) -> None:
        """Learn the names that workers said. Those of tables that are gone are forgotten."""
        kept: dict[str, list[Pair]] = {}
        for one in workers.values():
            pairs = self._tables.get(one.table, [])
            if one.pairs and len(pairs) == one.pairs_from:
                pairs = [*pairs, *one.pairs]
                self._put_in_order(one.pairs)
            kept[one.table] = pairs
        self._tables = kept
        self._getters = {name: one for name, one in self._getters.items() if name in kept}
        if len(self.pairs) > MOST_ORDERED:
            self._forget()

    def _put_in_order(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            if pair not in self._number:
                self._number[pair] = len(self.pairs)
                self.pairs.append(pair)
                self.coverages.add(pair[0])

    def _forget(self) -> None:
        """Begin the order again, of what is counted now: descriptions come and go."""
        self.generation += 1
        self.pairs, self.coverages, self._number, self._getters = [], set(), {}, {}
        for pairs in self._tables.values():
            self._put_in_order(pairs)

    def sums(self, flows: Mapping[str, list[int]], tables: Collection[str]) -> Sums:
        """Return the sums over these tables."""
        size = len(self.pairs)
        ordered = [self._ordered(table, flows[table]) for table in tables] if size else []
        # All tables at once: to add one after the other takes three times as long.
        total = list(map(sum, zip(*ordered, strict=True))) if ordered else [0] * (2 * size)
        return total[:size], total[size:]

    def _ordered(self, table: str, numbers: list[int]) -> Sequence[int]:
        """Return a table's bytes in this order, and its requests behind them."""
        pairs = self._tables.get(table, [])
        flows, size = len(numbers) // 2, len(self.pairs)
        known = self._getters.get(table)
        if known is None or known[:2] != (flows, size):
            zero = 2 * flows
            at = [zero] * (2 * size)
            for place, pair in enumerate(pairs[:flows]):
                number = self._number[pair]
                at[number], at[size + number] = place, flows + place
            known = self._getters[table] = (flows, size, itemgetter(*at))
        return known[2]([*numbers, 0])  # type: ignore[no-any-return]
