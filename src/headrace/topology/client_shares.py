"""Which share of the addresses goes to which site by two descriptions. Pure.

Addresses stand for clients: nobody knows from a description how many live behind a prefix. IPv4
counts single addresses, IPv6 networks of /64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from headrace.topology.coverage import CoverageTable
from headrace.topology.model import AdminState, Coverage, SiteKind, Topology
from headrace.topology.site_capacity import described_weights, site_capacities

Shares = Mapping[str, float]
"""By site, together 1; empty where nobody serves."""

Start = tuple[int, int]
"""Where a range begins, and the number of its coverage from 1; 0 for none."""

_V4_END, _V6_END = 1 << 32, 1 << 128
_V6_UNIT = 1 << 64


@dataclass(frozen=True, slots=True)
class Group:
    """Addresses that one coverage of each description covers (None: those of nobody)."""

    old: Coverage | None
    new: Coverage | None
    v4: float
    v6: float


def groups(old: CoverageTable, new: CoverageTable) -> list[Group]:
    """Return the addresses that either description names, by what covers them in each."""
    v4 = sizes(old.v4_starts(), new.v4_starts(), _V4_END)
    v6 = sizes(old.v6_starts(), new.v6_starts(), _V6_END)
    return [
        Group(_of(old, before), _of(new, after), v4[before, after], v6[before, after] / _V6_UNIT)
        for before, after in sorted(v4.keys() | v6.keys())
        if before or after
    ]


def sizes(old: Iterable[Start], new: Iterable[Start], end: int) -> Counter[tuple[int, int]]:
    """Return how many addresses have each pair of values, by the ranges of two tables."""
    found: Counter[tuple[int, int]] = Counter()
    rest_old, rest_new = iter(old), iter(new)
    next_old, next_new = next(rest_old, (end, 0)), next(rest_new, (end, 0))
    at = value_old = value_new = 0
    while at < end:
        upto = min(next_old[0], next_new[0])
        if upto > at:
            found[value_old, value_new] += upto - at
            at = upto
        if next_old[0] == at < end:
            value_old, next_old = next_old[1], next(rest_old, (end, 0))
        if next_new[0] == at < end:
            value_new, next_new = next_new[1], next(rest_new, (end, 0))
    return found


def _of(table: CoverageTable, number: int) -> Coverage | None:
    return table.coverage[number - 1] if number else None


class SiteShares:
    """Which sites of a description serve the clients of a coverage while all servers do what their
    administrative state says.
    """

    def __init__(self, topology: Topology) -> None:
        self._capacities = site_capacities(topology)
        self._external = {one.name for one in topology.sites if one.kind is SiteKind.EXTERNAL}
        self._online, self._draining = (
            {one.site for one in topology.servers if one.state is state}
            for state in (AdminState.ONLINE, AdminState.DRAINING)
        )
        self.default = next((one for one in topology.coverage if one.default), None)

    def of(self, coverage: Coverage | None) -> Shares:
        """Return the shares of a coverage; for None those of the default one."""
        coverage = coverage or self.default
        if coverage is None:
            return {}
        weights = described_weights(coverage, self._capacities)
        for usable in (self._online | self._external, self._draining):
            for names in _ranks(coverage):
                good = {name: weights[name] for name in names if name in usable and weights[name]}
                total = sum(good.values())
                if total:
                    return {name: weight / total for name, weight in good.items()}
        return {}


def _ranks(coverage: Coverage) -> Iterator[list[str]]:
    for order in sorted({choice.order for choice in coverage.sites}):
        yield [choice.site for choice in coverage.sites if choice.order == order]


def moved(before: Shares, after: Shares) -> float:
    """Return which share goes elsewhere: no more than must, as routing moves them."""
    if not before:
        return 1.0 if after else 0.0
    return sum(max(0.0, share - after.get(site, 0.0)) for site, share in before.items())
