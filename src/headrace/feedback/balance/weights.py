"""The weights of a balance as the view has them: what classes share once, others beside. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.feedback.balance.model import Balance, Reach, Shares
from headrace.topology.model import Topology
from headrace.topology.site_capacity import first_weights, normalised, site_capacities

_DIGITS = 4

ByCoverage = dict[str, dict[str, float]]


def view_weights(balance: Balance, topology: Topology) -> tuple[ByCoverage, dict[str, ByCoverage]]:
    """Return the weights by coverage, and those by class first, where classes differ."""
    capacities = site_capacities(topology)
    shared: ByCoverage = {}
    own: dict[str, ByCoverage] = {}
    reaches = {content.name: Reach.of(content) for content in topology.classes}
    usual = Reach.ANYWHERE if Reach.ANYWHERE in reaches.values() else Reach.INSIDE
    for coverage in topology.coverage:
        weights = balance.weights.get(coverage.name, {})
        if coverage.default and balance.near:
            described = first_weights(coverage, capacities)
            weights = {
                reach: _for_places(one, balance.near, described) for reach, one in weights.items()
            }
        first = _rounded(weights.get(usual, {}))
        if first:
            shared[coverage.name] = first
        for content, reach in reaches.items():
            if reach is not usual and (wanted := _rounded(weights.get(reach, {}))) != first:
                own.setdefault(content, {})[coverage.name] = wanted
    return shared, own


def _for_places(
    wanted: Shares, near: Mapping[str, float], first: Mapping[str, float]
) -> dict[str, float]:
    """Return weights that have each site keep the part that it should of the clients it has.

    Routers compare a weight with the description's where a client's place decides. So a site that
    has more clients than the description gives it keeps the same part of its weight.
    """
    described = normalised(first)
    own = normalised({site: near.get(site, 0.0) for site in described})
    found = {
        site: share * min(wanted.get(site, 0.0) / own[site], 1.0) if own[site] > 0 else share
        for site, share in described.items()
    }
    more = {
        site: share - own.get(site, 0.0)
        for site, share in wanted.items()
        if share > own.get(site, 0.0)
    }
    left, total = 1.0 - sum(found.values()), sum(more.values())
    for site, share in more.items():
        found[site] = found.get(site, 0.0) + left * share / total
    return found


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    rounded = {site: round(share, _DIGITS) for site, share in shares.items()}
    return {site: share for site, share in rounded.items() if share > 0.0}
