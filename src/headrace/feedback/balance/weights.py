"""The weights of a balance as the view has them: what classes share once, others beside. Pure."""

from __future__ import annotations

from headrace.feedback.balance.model import Balance, Reach, Shares
from headrace.topology.model import Topology

_DIGITS = 4

ByCoverage = dict[str, dict[str, float]]


def view_weights(balance: Balance, topology: Topology) -> tuple[ByCoverage, dict[str, ByCoverage]]:
    """Return the weights by coverage, and those by class first, where classes differ."""
    shared: ByCoverage = {}
    own: dict[str, ByCoverage] = {}
    reaches = {content.name: Reach.of(content) for content in topology.classes}
    usual = Reach.ANYWHERE if Reach.ANYWHERE in reaches.values() else Reach.INSIDE
    for coverage in topology.coverage:
        weights = balance.weights.get(coverage.name, {})
        first = _rounded(weights.get(usual, {}))
        if first:
            shared[coverage.name] = first
        for content, reach in reaches.items():
            if reach is not usual and (wanted := _rounded(weights.get(reach, {}))) != first:
                own.setdefault(content, {})[coverage.name] = wanted
    return shared, own


def _rounded(shares: Shares) -> dict[str, float]:
    rounded = {site: round(share, _DIGITS) for site, share in shares.items()}
    return {site: share for site, share in rounded.items() if share > 0.0}
