"""Which sites may serve a client, in order: by its coverage, or by where it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from headrace.reasons import Reason
from headrace.routing.rendezvous import seed_of
from headrace.topology.model import AdminState, Coverage, Site, SiteKind, Topology
from headrace.topology.view import View


@dataclass(frozen=True, slots=True)
class Share:
    """A site and what part of the clients of its rank it should have, as a weight."""

    site: Site
    weight: float
    seed: int


Rank = tuple[Share, ...]
"""Sites that share clients by weight. A later rank serves only where no earlier one can."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """The sites that may serve a client, and why these: of which coverage ("": of none), and for
    how long a prefix around the client that is so."""

    ranks: tuple[Rank, ...]
    reason: Reason
    coverage: str
    prefix_length: int = 0


class Sites:
    """The sites of a topology with their weights under a view."""

    def __init__(self, topology: Topology, view: View) -> None:
        self.by_name: Mapping[str, Site] = {site.name: site for site in topology.sites}
        self._view = view
        self._capacity_bps = _capacities(topology)
        self._seeds = {site.name: seed_of(site.name) for site in topology.sites}

    def of_coverage(self, coverage: Coverage) -> tuple[Rank, ...]:
        """Return the sites of a coverage, by their order. A weight of 0 takes a site out of it."""
        by_view = self._view.coverage.get(coverage.name, {})
        orders: dict[int, list[tuple[Site, float | None]]] = {}
        for choice in coverage.sites:
            weight = by_view.get(choice.site, choice.weight)
            orders.setdefault(choice.order, []).append((self.by_name[choice.site], weight))
        return tuple(self._rank(orders[order]) for order in sorted(orders))

    def of_nobody(self) -> tuple[Rank, ...]:
        """Return the sites for clients that no coverage speaks of: all edge sites, first those
        that stand in no ISP's network."""
        edges = [site for site in self.by_name.values() if site.kind is SiteKind.EDGE]
        ranks = ([site for site in edges if bool(site.network) is isp] for isp in (False, True))
        return tuple(self._rank((site, None) for site in rank) for rank in ranks if rank)

    def externals(self) -> Iterator[Site]:
        """Yield the external sites in the description's order."""
        return (site for site in self.by_name.values() if site.kind is SiteKind.EXTERNAL)

    def _rank(self, sites: Iterable[tuple[Site, float | None]]) -> Rank:
        """Return a rank. Sites without a weight have one by capacity, 1 on the average; an
        external site's capacity is not known, so that it has 1."""
        found = list(sites)
        known = [self._capacity_bps.get(site.name, 0) for site, _ in found]
        positive = [capacity for capacity in known if capacity]
        mean = sum(positive) / len(positive) if positive else 1.0
        return tuple(
            Share(
                site,
                weight if weight is not None else (capacity / mean if capacity else 1.0),
                self._seeds[site.name],
            )
            for (site, weight), capacity in zip(found, known, strict=True)
        )


def _capacities(topology: Topology) -> dict[str, int]:
    """Return the capacity of each site: its servers', and no more than its own."""
    capacities: dict[str, int] = {}
    for server in topology.servers:
        if server.state is AdminState.ONLINE:
            capacities[server.site] = capacities.get(server.site, 0) + server.capacity_bps
    for site in topology.sites:
        if site.capacity_bps is not None and site.name in capacities:
            capacities[site.name] = min(capacities[site.name], site.capacity_bps)
    return capacities
