"""How demand and loads are followed: smoothed against noise, and held where reports are lost. Pure.

What of a coverage's traffic is at sites that report is known by where its clients have arrived; so
what goes to external sites, or to servers whose reports were lost, is not taken for gone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from headrace.feedback.balance.demand import Measured
from headrace.feedback.balance.model import Balance, Reach
from headrace.feedback.balance.rules import BalanceRules
from headrace.topology.model import Topology
from headrace.topology.site_capacity import first_weights, normalised, site_capacities

LEAST_SEEN = 0.1
"""Of whom less is seen, nothing is said: what was known stays, and is forgotten slowly."""

FORGOTTEN_S = 300.0
MOST_DRIFT = 0.5
_TOLD = 0.5
_LEAST_BPS = 1e6
RESTLESS = 8.0

Demand = dict[str, dict[str, float]]
UnitShares = Mapping[tuple[str, Reach], Mapping[str, float]]


def approach(old: float, new: float, elapsed_s: float, constant_s: float) -> float:
    """Return how far a value has come from an old one to a new one in some time."""
    if constant_s <= 0.0:
        return new
    return new + (old - new) * math.exp(-elapsed_s / constant_s)


def follow_demand(
    before: Balance,
    measured: Measured,
    present: UnitShares,
    topology: Topology,
    elapsed_s: float,
    rules: BalanceRules,
) -> tuple[Demand, Demand]:
    """Return the smoothed demand of each coverage and class, and what was measured of it now.

    `present` says where the clients of each unit are by now.
    """
    smooth: Demand = {}
    raw: Demand = {}
    kept = 0.5 ** (elapsed_s / FORGOTTEN_S)
    reaches = {content.name: Reach.of(content) for content in topology.classes}
    for coverage in topology.coverage:
        flows = measured.flows.get(coverage.name, {})
        known = before.demand.get(coverage.name, {})
        for content, reach in reaches.items():
            old = known.get(content)
            flow = flows.get(content, 0.0)
            if not flow and not old:
                continue
            shares = present.get((coverage.name, reach), {})
            seen = sum(share * measured.told.get(site, 0.0) for site, share in shares.items())
            if seen < LEAST_SEEN:
                wanted, now = (old or 0.0) * kept, old or 0.0
                wanted = wanted if wanted >= _LEAST_BPS else 0.0
            else:
                now = flow / min(seen, 1.0)
                constant_s = rules.rise_s if old is not None and now > old else rules.fall_s
                wanted = now if old is None else approach(old, now, elapsed_s, constant_s)
            raw.setdefault(coverage.name, {})[content] = now
            if wanted >= 1.0:
                smooth.setdefault(coverage.name, {})[content] = wanted
    return smooth, raw


def follow_near(
    before: Balance,
    measured: Measured,
    topology: Topology,
    moved: Collection[str],
    elapsed_s: float,
    rules: BalanceRules,
) -> Mapping[str, float]:
    """Return how the clients of the default coverage are spread while nothing of it is moved; as it
    was, while something is (`moved` coverages), or while not all of their sites report."""
    coverage = next((one for one in topology.coverage if one.default), None)
    if coverage is None:
        return {}
    if coverage.name in moved:
        return before.near
    flows = {}
    for site in first_weights(coverage, site_capacities(topology)):
        told = measured.told.get(site, 0.0)
        if told < _TOLD and site in measured.told:
            return before.near
        if told >= _TOLD:
            flows[site] = measured.others.get(site, 0.0) / told
    if sum(flows.values()) < _LEAST_BPS:
        return before.near
    now = normalised(flows)
    if not before.near:
        return {site: min(share, 1.0) for site, share in now.items()}
    found = {
        site: approach(before.near.get(site, 0.0), share, elapsed_s, rules.correct_s)
        for site, share in now.items()
    }
    return {site: min(share, 1.0) for site, share in normalised(found).items()}


def follow_other(
    before: Balance,
    measured: Measured,
    capacities: Mapping[str, float],
    elapsed_s: float,
    rules: BalanceRules,
) -> dict[str, float]:
    """Return by site what it sends beside what clients of known coverages get."""
    found = {}
    for site, told in measured.told.items():
        old = before.other.get(site)
        if old is not None:
            old = min(old, capacities.get(site, 0.0))
        if told < LEAST_SEEN:
            if old:
                found[site] = old
            continue
        now = max(measured.load.get(site, 0.0) - measured.clients.get(site, 0.0), 0.0) / told
        value = now if old is None else approach(old, now, elapsed_s, rules.other_s)
        if value >= 1.0:
            found[site] = value
    return found


def follow_drift(
    before: Balance,
    measured: Measured,
    expected: Mapping[str, float],
    capacities: Mapping[str, float],
    under_way: Mapping[str, float],
    elapsed_s: float,
    rules: BalanceRules,
) -> dict[str, float]:
    """Return by site what clients get from it beyond what should be by where they were sent.

    Reports are older than what is expected now, so that little is learned where many clients are
    on their way to a site or from it: `under_way`, in bits per second.
    """
    found = {}
    for site, told in measured.told.items():
        most = MOST_DRIFT * capacities.get(site, 0.0)
        old = min(max(before.drift.get(site, 0.0), -most), most)
        if told >= LEAST_SEEN and site in capacities:
            now = measured.clients.get(site, 0.0) / told - expected.get(site, 0.0)
            calm = under_way.get(site, 0.0) < rules.least * capacities[site]
            constant_s = rules.correct_s if calm else rules.correct_s * RESTLESS
            old = min(max(approach(old, now, elapsed_s, constant_s), -most), most)
        if abs(old) >= 1.0:
            found[site] = old
    return found
