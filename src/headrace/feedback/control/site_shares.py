"""The weights of a view in which full sites keep a share of their clients, without the balance.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from headrace.feedback.balance.model import Reach
from headrace.topology.model import Coverage, SiteKind, Topology
from headrace.topology.reachable import reachable_sites
from headrace.topology.site_capacity import described_weights, normalised, site_capacities

_DIGITS = 4

ByCoverage = dict[str, dict[str, float]]


def shared_weights(
    topology: Topology, shares: Mapping[str, float], alive: Collection[str]
) -> tuple[ByCoverage, dict[str, ByCoverage]]:
    """Return the weights by coverage, and those by class first, where classes differ: each site of
    `shares` keeps that share of its clients, those behind it get the others. `alive` are the sites
    that can serve.
    """
    reaches = {content.name: Reach.of(content) for content in topology.classes}
    usual = Reach.ANYWHERE if Reach.ANYWHERE in reaches.values() else Reach.INSIDE
    capacities = site_capacities(topology)
    shared: ByCoverage = {}
    own: dict[str, ByCoverage] = {}
    for coverage in topology.coverage:
        described = described_weights(coverage, capacities)
        weights = {
            reach: _passed_on(_ranks(topology, coverage, described, alive, reach), shares)
            for reach in {usual, *reaches.values()}
        }
        first = weights[usual]
        if first:
            shared[coverage.name] = first
        for content, reach in reaches.items():
            if reach is not usual and weights[reach] != first:
                own.setdefault(content, {})[coverage.name] = weights[reach]
    return shared, own


def _ranks(
    topology: Topology,
    coverage: Coverage,
    described: Mapping[str, float],
    alive: Collection[str],
    reach: Reach,
) -> list[dict[str, float]]:
    """Return the sites that may serve a coverage's clients, with their weights, as routers have
    them in their ranks."""
    ranks: dict[tuple[int, int], dict[str, float]] = {}
    for each in reachable_sites(coverage, {site.name: site for site in topology.sites}):
        outside = each.site.kind is SiteKind.EXTERNAL
        weight = described.get(each.site.name, 1.0)
        if weight and (reach is Reach.ANYWHERE if outside else each.site.name in alive):
            ranks.setdefault((each.standing, each.order), {})[each.site.name] = weight
    return [ranks[place] for place in sorted(ranks)]


def _passed_on(
    ranks: Sequence[Mapping[str, float]], shares: Mapping[str, float]
) -> dict[str, float]:
    """Return what part of the clients each site has, rank after rank: a rank keeps as much of what
    comes to it as the least relieved of its sites, and passes on the rest. So nothing jumps when a
    share changes a little. Empty where no site passes anything on to another.
    """
    if not ranks or all(shares.get(site, 1.0) >= 1.0 for site in ranks[0]):
        return {}
    found: dict[str, float] = {}
    left = 1.0
    for rank in ranks:
        keeps = max(shares.get(site, 1.0) for site in rank)
        parts = normalised({site: one * shares.get(site, 1.0) for site, one in rank.items()})
        for site, part in parts.items():
            found[site] = left * keeps * part
        left *= 1.0 - keeps
        if left <= 0.0:
            break
    if len(found) < 2:
        return {}
    rounded = {site: round(part, _DIGITS) for site, part in normalised(found).items()}
    return {site: part for site, part in rounded.items() if part > 0.0}
