"""One step of the balance: from reports to weights of sites. Pure.

Measured demand says what clients want, version 1 what sites can carry; the solver finds where all
of it is best served, and the way there is gone calmly. What was sent somewhere and has not arrived
is followed by a model of how clients follow weights, so that it is not moved twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from headrace.feedback.balance.capacities import Capacity, capacities_of
from headrace.feedback.balance.demand import measure
from headrace.feedback.balance.explanation import BalanceExplanation, Moved, SiteLoad
from headrace.feedback.balance.following import (
    LEAST_SEEN,
    Demand,
    approach,
    follow_demand,
    follow_drift,
    follow_near,
    follow_other,
)
from headrace.feedback.balance.groups import Cluster, Groups, Unit
from headrace.feedback.balance.model import Balance, Reach, Shares
from headrace.feedback.balance.rules import BalanceRules
from headrace.feedback.balance.settling import Situation, own_of, settle
from headrace.feedback.balance.solve import Room, Solution, solve
from headrace.feedback.observation import NodeReport
from headrace.topology.model import SiteKind
from headrace.topology.view import ServerView

_SAME = 1e-3
_Site = TypeVar("_Site", int, str)
_NONE: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class BalanceStep:
    """The memory for the next step, and why weights are what they are (None: it was not yet time
    to work them out)."""

    memory: Balance
    explanation: BalanceExplanation | None


def balance(
    before: Balance,
    groups: Groups,
    servers: Mapping[str, ServerView],
    reports: Mapping[str, NodeReport],
    rules: BalanceRules,
    elapsed_s: float,
    *,
    applied: bool = True,
) -> BalanceStep:
    """Return the next step of a topology's groups, `elapsed_s` after the last one.

    `servers` are as the view has them, `reports` by node. `applied`: the weights are in the view;
    else clients stay where the description has them, and this is what would be done.
    """
    since_s = None if before.since_s is None else before.since_s + elapsed_s
    if since_s is not None and since_s < rules.interval_s * (1.0 - _SAME):
        return BalanceStep(_waiting(before, since_s), None)
    work = _Work(before, groups, servers, reports, rules, since_s or 0.0, applied)
    return work.done()


def _waiting(before: Balance, since_s: float) -> Balance:
    return msgspec.structs.replace(before, since_s=since_s)


class _Work:
    """A step that is being worked out."""

    def __init__(
        self,
        before: Balance,
        groups: Groups,
        servers: Mapping[str, ServerView],
        reports: Mapping[str, NodeReport],
        rules: BalanceRules,
        elapsed_s: float,
        applied: bool,
    ) -> None:
        self._before = before
        topology = self._topology = groups.topology
        self._rules = rules
        self._elapsed_s = elapsed_s
        self._applied = applied
        self._capacities = capacities_of(topology, servers, reports)
        self._measured = measure(topology, servers, reports, rules)
        moved = before.weights.keys() | before.arrived.keys() if applied else ()
        self._near = dict(follow_near(before, self._measured, topology, moved, elapsed_s, rules))
        self._grouping = groups.of(self._capacities, self._near)
        self._external = {one.name for one in topology.sites if one.kind is SiteKind.EXTERNAL}
        self._own = {
            unit: self._named(own_of(cluster))
            for cluster in self._grouping.clusters
            for unit in cluster.units
        }
        self._serve = {
            unit: frozenset(self._grouping.names[site] for site in cluster.sites)
            for cluster in self._grouping.clusters
            for unit in cluster.units
        }
        # Where clients are by now, of those units alone that were moved.
        self._arrived = dict(self._follow_weights())

    def done(self) -> BalanceStep:
        """Work it out."""
        rules, elapsed_s = self._rules, self._elapsed_s
        present = {
            (unit.coverage, unit.reach): self._arrived.get(unit, own)
            for unit, own in self._own.items()
        }
        demand, raw = follow_demand(
            self._before, self._measured, present, self._topology, elapsed_s, rules
        )
        whole = {name: one.bps for name, one in self._capacities.items()}
        other = follow_other(self._before, self._measured, whole, elapsed_s, rules)
        expected = self._loads(self._wants(raw), self._arrived)
        drift = follow_drift(
            self._before, self._measured, expected, whole, self._under_way(raw), elapsed_s, rules
        )
        wants = self._wants(demand)
        best, situation = self._situation(wants, other, drift)
        sent = settle(situation, rules)
        weights = self._by_unit(sent)
        memory = Balance(
            0.0, demand, _written(weights), _written(self._arrived), other, drift, self._near
        )
        return BalanceStep(memory, self._explain(wants, best, weights, other, drift))

    def _follow_weights(self) -> Iterator[tuple[Unit, Shares]]:
        """Yield where the clients of each moved unit have arrived since the last step."""
        ttls_s = self._follow_times()
        for unit, own in self._own.items():
            old = _of(self._before.arrived, unit)
            sent = _of(self._before.weights, unit) if self._applied else None
            if old is None and sent is None:
                continue
            start = self._alive(unit, old)
            end = self._alive(unit, sent)
            part = approach(0.0, 1.0, self._elapsed_s, ttls_s[unit.coverage, unit.reach])
            now = {
                site: min(share, 1.0)
                for site in sorted(start.keys() | end.keys())
                if (share := start.get(site, 0.0) * (1 - part) + end.get(site, 0.0) * part) > 1e-6
            }
            if sent is not None or not _alike(now, own):
                yield unit, now

    def _follow_times(self) -> dict[tuple[str, Reach], float]:
        """Return how long clients take to follow a weight: the mean of their classes' times."""
        found: dict[tuple[str, Reach], float] = {}
        classes = self._topology.classes
        for coverage in self._topology.coverage:
            wants = self._before.demand.get(coverage.name, _NONE)
            for reach in Reach:
                total = weighed = 0.0
                for content in classes:
                    if Reach.of(content) is reach:
                        weight = wants.get(content.name, 0.0) + 1.0
                        total += weight
                        weighed += weight * content.ttl_s
                follow_s = self._rules.follow_s
                found[coverage.name, reach] = (
                    follow_s if follow_s is not None else weighed / total if total else 0.0
                )
        return found

    def _alive(self, unit: Unit, shares: Mapping[str, float] | None) -> Shares:
        """Return shares among sites that can serve a unit: those of others go to the rest."""
        if shares is None:
            return self._own[unit]
        can = self._serve[unit]
        usable = {site: share for site, share in shares.items() if site in can}
        total = sum(usable.values())
        if total <= 0:
            return self._own[unit]
        return {site: share / total for site, share in usable.items()}

    def _wants(self, demand: Mapping[str, Mapping[str, float]]) -> dict[Unit, float]:
        reaches = {content.name: Reach.of(content) for content in self._topology.classes}
        found: dict[Unit, float] = {}
        for coverage, by_class in demand.items():
            for content, bps in by_class.items():
                unit = Unit(coverage, reaches[content])
                found[unit] = found.get(unit, 0.0) + bps
        return found

    def _loads(
        self, wants: Mapping[Unit, float], shares: Mapping[Unit, Mapping[str, float]]
    ) -> dict[str, float]:
        """Return what each site sends to clients who are at these shares, others where they
        belong."""
        found: dict[str, float] = {}
        for unit, own in self._own.items():
            bps = wants.get(unit, 0.0)
            if bps:
                for site, share in shares.get(unit, own).items():
                    found[site] = found.get(site, 0.0) + share * bps
        return found

    def _under_way(self, demand: Demand) -> dict[str, float]:
        """Return by site what is yet to come there, and yet to leave."""
        found: dict[str, float] = {}
        if self._applied:
            wants = self._wants(demand)
            for unit, arrived in self._arrived.items():
                sent = self._alive(unit, _of(self._before.weights, unit))
                for site in sorted(arrived.keys() | sent.keys()):
                    way = abs(sent.get(site, 0.0) - arrived.get(site, 0.0))
                    found[site] = found.get(site, 0.0) + way * wants.get(unit, 0.0)
        return found

    def _situation(
        self, wants: Mapping[Unit, float], other: Mapping[str, float], drift: Mapping[str, float]
    ) -> tuple[Solution, Situation]:
        clusters = self._grouping.clusters
        names = self._grouping.names
        demand = [sum(wants.get(unit, 0.0) for unit in one.units) for one in clusters]
        beside = [max(other.get(name, 0.0) + drift.get(name, 0.0), 0.0) for name in names]
        arrived = _written(self._arrived)
        before = [self._mean(one, self._before.weights, wants) for one in clusters]
        closed = self._closed(demand, before)
        best = solve(clusters, demand, self._rooms(other, drift, 1.0, closed))
        moved = any(
            not _alike(shares, own_of(one))
            for table in (before, best.shares)
            for shares, one in zip(table, clusters, strict=True)
        )
        released = (
            solve(clusters, demand, self._rooms(other, drift, self._rules.release, closed)).shares
            if moved
            else best.shares
        )
        situation = Situation(
            clusters,
            demand,
            before,
            [self._mean(one, arrived, wants) for one in clusters],
            best.shares,
            released,
            [self._capacities[name].bps for name in names],
            beside,
        )
        return best, situation

    def _closed(
        self, demand: Sequence[float], before: Sequence[Mapping[int, float]]
    ) -> dict[int, float]:
        """Return what those sites have whose servers do not report: nobody knows their load, so
        that they get no more."""
        found: dict[int, float] = {}
        for number, name in enumerate(self._grouping.names):
            if name not in self._external and self._measured.told.get(name, 0.0) < LEAST_SEEN:
                found[number] = 0.0
        if found:
            for wanted, shares in zip(demand, before, strict=True):
                for site, share in shares.items():
                    if site in found:
                        found[site] += wanted * share
        return found

    def _rooms(
        self,
        other: Mapping[str, float],
        drift: Mapping[str, float],
        part: float,
        closed: Mapping[int, float],
    ) -> list[Room]:
        found = []
        for number, name in enumerate(self._grouping.names):
            capacity: Capacity = self._capacities[name]
            beside = other.get(name, 0.0) + drift.get(name, 0.0)
            if number in closed:
                found.append(Room(closed[number], closed[number], closed=True))
            else:
                found.append(Room(capacity.target_bps * part, capacity.bps, beside))
        return found

    def _mean(
        self,
        cluster: Cluster,
        table: Mapping[str, Mapping[Reach, Mapping[str, float]]],
        wants: Mapping[Unit, float],
    ) -> dict[int, float]:
        """Return the shares of a cluster's units together."""
        own = own_of(cluster)
        numbers = {self._grouping.names[site]: site for site in cluster.sites}
        found: dict[int, float] = {}
        total = 0.0
        for unit in cluster.units:
            known = _of(table, unit)
            weight = wants.get(unit, 0.0) + 1.0
            total += weight
            if known is None:
                shares = own
            else:
                alive = self._alive(unit, known)
                shares = {numbers[site]: one for site, one in alive.items()}
            for site, share in shares.items():
                found[site] = found.get(site, 0.0) + weight * share
        return {site: share / total for site, share in found.items()}

    def _named(self, shares: Mapping[int, float]) -> Shares:
        return {self._grouping.names[site]: min(share, 1.0) for site, share in shares.items()}

    def _by_unit(self, sent: list[dict[int, float]]) -> dict[Unit, Shares]:
        """Return the weights of units that are not where the description has them."""
        return {
            unit: named
            for cluster, shares in zip(self._grouping.clusters, sent, strict=True)
            if not _alike(named := self._named(shares), self._named(own_of(cluster)))
            for unit in cluster.units
        }

    def _explain(
        self,
        wants: Mapping[Unit, float],
        best: Solution,
        weights: Mapping[Unit, Shares],
        other: Mapping[str, float],
        drift: Mapping[str, float],
    ) -> BalanceExplanation:
        described, planned = self._loads(wants, {}), self._loads(wants, weights)
        told = self._measured.told
        sites = []
        for name, capacity in self._capacities.items():
            beside = other.get(name, 0.0) + drift.get(name, 0.0)
            sites.append(
                SiteLoad(
                    name,
                    capacity.bps,
                    capacity.target_bps,
                    self._measured.load.get(name, 0.0) / max(told.get(name, 0.0), 0.1),
                    described.get(name, 0.0) + beside,
                    planned.get(name, 0.0) + beside,
                    other.get(name, 0.0),
                    drift.get(name, 0.0),
                    told.get(name, 0.0),
                )
            )
        by_best = self._by_unit(best.shares)
        moved = tuple(
            Moved(
                unit.coverage,
                unit.reach.value,
                wants.get(unit, 0.0),
                own,
                weights.get(unit, own),
                self._arrived.get(unit, own),
                by_best.get(unit, own),
            )
            for unit, own in self._own.items()
            if unit in weights or unit in self._arrived
        )
        return BalanceExplanation(self._applied, best.level, tuple(sites), moved)


def _of(
    table: Mapping[str, Mapping[Reach, Mapping[str, float]]], unit: Unit
) -> Mapping[str, float] | None:
    return table.get(unit.coverage, {}).get(unit.reach)


def _written(table: Mapping[Unit, Shares]) -> dict[str, dict[Reach, Shares]]:
    found: dict[str, dict[Reach, Shares]] = {}
    for unit, shares in table.items():
        found.setdefault(unit.coverage, {})[unit.reach] = shares
    return found


def _alike(one: Mapping[_Site, float], other: Mapping[_Site, float]) -> bool:
    return all(
        abs(one.get(site, 0.0) - other.get(site, 0.0)) < _SAME for site in one.keys() | other.keys()
    )
