"""Whose traffic is moved, from where to where, and what that costs. Pure.

A unit is the clients of one coverage with the classes of one reach. Units that have the same sites
at the same cost are one cluster for the solver: each of them gets the cluster's weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from headrace.feedback.balance.model import Reach
from headrace.topology.model import Site, SiteKind, Topology
from headrace.topology.reachable import Reachable, Standing, reachable_sites
from headrace.topology.site_capacity import described_weights, site_capacities

PARENT_TIER, EXTERNAL_TIER = 1000, 2000
_FIELD = 1 << 40
"""Above all that a part of a cost may sum up to along a chain of moves."""

_NEAR_DIGITS = 2
_LEAST_KNOWN = 0.05
_NONE: Mapping[str, float] = {}

_PRICE_STEPS = 1_000_000
_HIGHEST_PREFERENCE = 1000


@dataclass(frozen=True, slots=True)
class Unit:
    """The clients of a coverage with classes of a reach."""

    coverage: str
    reach: Reach


@dataclass(frozen=True, slots=True)
class Cluster:
    """Units that are treated alike. `sites` are where they may be served, by number; `own` the
    share of each while nothing is moved; `cost` what each unit of traffic costs that is there
    beyond that share, and `tier` why (0: the first order)."""

    units: tuple[Unit, ...]
    sites: tuple[int, ...]
    own: tuple[float, ...]
    cost: tuple[int, ...]
    tier: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """All clusters, under one set of sites that can serve; `names` are those by number."""

    names: tuple[str, ...]
    clusters: tuple[Cluster, ...]


class Groups:
    """The clusters of a topology, worked out when other sites can serve than before."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._key: tuple[frozenset[str], dict[str, float]] | None = None
        self._grouping = Grouping((), ())

    def of(self, alive: Collection[str], near: Mapping[str, float] = _NONE) -> Grouping:
        """Return the clusters when these sites can serve; `near` as in `group`."""
        key = frozenset(alive), {site: round(share, _NEAR_DIGITS) for site, share in near.items()}
        if key != self._key:
            self._key, self._grouping = key, group(self.topology, *key)
        return self._grouping


def group(
    topology: Topology, alive: Collection[str], near: Mapping[str, float] = _NONE
) -> Grouping:
    """Return the clusters of a topology when these sites can serve.

    `near` is how clients of the default coverage are spread among the sites of its first order,
    where that is known. Clients whom no site can serve are in no cluster.
    """
    names = tuple(site.name for site in topology.sites if site.name in alive)
    numbers = {name: number for number, name in enumerate(names)}
    sites = {site.name: site for site in topology.sites}
    capacities = site_capacities(topology)
    reaches = dict.fromkeys(Reach.of(content) for content in topology.classes)
    found: dict[tuple[object, ...], list[Unit]] = {}
    for coverage in topology.coverage:
        described = described_weights(coverage, capacities)
        reached = list(reachable_sites(coverage, sites))
        for reach in reaches:
            known = near if coverage.default else _NONE
            shape = _shape(reached, reach, numbers, described, known)
            if shape is not None:
                found.setdefault(shape, []).append(Unit(coverage.name, reach))
    return Grouping(names, tuple(_cluster(shape, units) for shape, units in found.items()))


def _shape(
    reached: list[Reachable],
    reach: Reach,
    numbers: dict[str, int],
    described: dict[str, float],
    near: Mapping[str, float],
) -> tuple[object, ...] | None:
    """Return all that counts of a unit: numbers of sites, own shares, costs, tiers; None: nothing
    serves it."""
    usable = [
        each
        for each in reached
        if each.site.name in numbers
        and (reach is Reach.ANYWHERE or each.site.kind is not SiteKind.EXTERNAL)
        # A weight of 0 in the description: only when nothing else serves.
        and described.get(each.site.name, 1.0) > 0
    ]
    if not usable:
        return None
    first = _rank(usable[0])
    weights = [
        described.get(each.site.name, 1.0) if _rank(each) == first else 0.0 for each in usable
    ]
    known = [
        near.get(each.site.name, 0.0) if weight else 0.0
        for each, weight in zip(usable, weights, strict=True)
    ]
    if sum(known) > _LEAST_KNOWN:
        weights = known
    total = sum(weights)
    tiers = tuple(_tiers(usable))
    return (
        tuple(numbers[each.site.name] for each in usable),
        tuple(weight / total for weight in weights),
        tuple(_cost(each.site, tier) for each, tier in zip(usable, tiers, strict=True)),
        tiers,
    )


def _rank(each: Reachable) -> tuple[int, int]:
    return (each.standing, each.order)


def _tiers(usable: list[Reachable]) -> Iterator[int]:
    """Yield how far each site is behind the first ones: steps of orders, then parents, then
    external ones."""
    orders = sorted({each.order for each in usable if each.standing is Standing.LISTED})
    for each in usable:
        if each.standing is Standing.LISTED:
            yield orders.index(each.order)
        elif each.standing is Standing.PARENT:
            yield PARENT_TIER + each.order
        else:
            yield EXTERNAL_TIER


def _cost(site: Site, tier: int) -> int:
    """Return a cost whose parts never outweigh those before them: the tier, the price, the
    preference, and that anything is moved at all."""
    price = round(site.price_per_gb * _PRICE_STEPS)
    preference = _HIGHEST_PREFERENCE - site.preference
    return ((tier * _FIELD + price) * _FIELD + preference) * _FIELD + 1


def _cluster(shape: tuple[object, ...], units: list[Unit]) -> Cluster:
    sites, own, cost, tier = shape
    return Cluster(tuple(units), sites, own, cost, tier)  # type: ignore[arg-type]
