"""Moves traffic out of sites that have too much of it, at least cost: a minimum-cost flow. Pure.

The graph is small: its nodes are the sites. From one to another leads the cheapest way to move
something: the traffic of some cluster that may be served at both. What is too much goes along the
shortest path to a site with room, each time; so one site's clients give way to another's where only
that helps. A path is found by Dijkstra's algorithm with potentials, costs are whole numbers, and
ties go by number: the same values give the same flow, in any process.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence

from headrace.feedback.balance.groups import Cluster

Hop = tuple[int, list[tuple[int, float]]]
"""What a unit of traffic costs along it; the clusters that can be moved for that, and how much of
each."""

State = tuple[list[dict[int, float]], list[int]]
"""The amount of each cluster at each site, and the potentials of sites for these."""

_TINY = 1e-9


class Flow:
    """Traffic of clusters at sites. It begins as it is while nothing is moved."""

    def __init__(self, clusters: Sequence[Cluster], demand: Sequence[float], sites: int) -> None:
        self._clusters = clusters
        self._cost = [dict(zip(one.sites, one.cost, strict=True)) for one in clusters]
        self._own: list[dict[int, float]] = []
        self._at: list[dict[int, None]] = [{} for _ in range(sites)]
        self._hops: list[dict[int, Hop] | None] = [None] * sites
        self._potential = [0] * sites
        self._tiny = _TINY * (sum(demand) + 1.0)
        self.load = [0.0] * sites
        self.amounts: list[dict[int, float]] = []
        for number, (cluster, wanted) in enumerate(zip(clusters, demand, strict=True)):
            own = {
                site: wanted * share
                for site, share in zip(cluster.sites, cluster.own, strict=True)
                if share * wanted > self._tiny
            }
            self._own.append(own)
            self.amounts.append(dict(own))
            for site, amount in own.items():
                self.load[site] += amount
                self._at[site][number] = None

    def settle(self, rooms: Sequence[float]) -> bool:
        """Move traffic until no site has more than its room; False: as far as can be."""
        while True:
            sources = [
                site
                for site, load in enumerate(self.load)
                if load > max(rooms[site], 0.0) + self._tiny
            ]
            if not sources:
                return True
            path = self._find_path(sources, rooms)
            if path is None or not self._push(path, rooms):
                return False

    def state(self) -> State:
        """Return what is where, to come back to it by `restore`."""
        return [dict(one) for one in self.amounts], list(self._potential)

    def restore(self, state: State) -> None:
        """Put everything where it was."""
        amounts, potential = state
        sites = len(self.load)
        self.amounts = [dict(one) for one in amounts]
        self._potential = list(potential)
        self.load = [0.0] * sites
        self._at = [{} for _ in range(sites)]
        self._hops = [None] * sites
        for number, one in enumerate(self.amounts):
            for site, amount in one.items():
                self.load[site] += amount
                self._at[site][number] = None

    def _find_path(self, sources: Sequence[int], rooms: Sequence[float]) -> list[int] | None:
        """Return the cheapest path from a site that has too much to one with room."""
        potential = self._potential
        roomy = [load < room - self._tiny for load, room in zip(self.load, rooms, strict=True)]
        lowest = min(itertools.compress(potential, roomy), default=None)
        if lowest is None:
            return None
        far = [-1] * len(potential)
        came: dict[int, int] = {}
        known = {site: max(-potential[site], 0) for site in sources}
        queue = [(distance, site) for site, distance in known.items()]
        heapq.heapify(queue)
        end, best = -1, 0
        while queue:
            distance, site = heapq.heappop(queue)
            if far[site] >= 0:
                continue
            if end >= 0 and distance + lowest >= best:
                break  # nothing that is still to come is nearer
            far[site] = distance
            base = distance + potential[site]
            if roomy[site] and (end < 0 or base < best):
                end, best = site, base
            for other, (cost, _clusters) in self._hops_of(site).items():
                if far[other] >= 0:
                    continue
                # It could be less by amounts too small to count.
                reached = max(base + cost - potential[other], distance)
                if end >= 0 and reached + lowest >= best:
                    continue
                if other not in known or reached < known[other]:
                    known[other] = reached
                    came[other] = site
                    heapq.heappush(queue, (reached, other))
        if end < 0:
            return None
        limit = far[end]
        for site, distance in enumerate(far):
            potential[site] += limit if distance < 0 else min(distance, limit)
        path = [end]
        while path[-1] in came:
            path.append(came[path[-1]])
        path.reverse()
        return path

    def _hops_of(self, site: int) -> dict[int, Hop]:
        """Return the cheapest hops from a site to others."""
        hops = self._hops[site]
        if hops is not None:
            return hops
        hops = self._hops[site] = {}
        tiny = self._tiny
        for number in self._at[site]:
            amounts, own, costs = self.amounts[number], self._own[number], self._cost[number]
            here = amounts[site]
            beyond = here - own.get(site, 0.0)
            saved, most = (costs[site], beyond) if beyond > tiny else (0, here)
            for other, cost in costs.items():
                if other == site:
                    continue
                missing = own.get(other, 0.0) - amounts.get(other, 0.0)
                if missing > tiny:
                    price, amount = -saved, min(most, missing)
                else:
                    price, amount = cost - saved, most
                known = hops.get(other)
                if known is None or price < known[0]:
                    hops[other] = (price, [(number, amount)])
                elif price == known[0]:
                    known[1].append((number, amount))
        return hops

    def _push(self, path: list[int], rooms: Sequence[float]) -> bool:
        """Move as much as can be along a path. Return whether that was anything."""
        hops = [self._hops_of(site)[other][1] for site, other in itertools.pairwise(path)]
        amount = min(
            self.load[path[0]] - max(rooms[path[0]], 0.0),
            rooms[path[-1]] - self.load[path[-1]],
            *(math.fsum(most for _number, most in hop) for hop in hops),
        )
        if amount <= 0.0:
            return False
        touched: set[int] = set()
        for (site, other), hop in zip(itertools.pairwise(path), hops, strict=True):
            left = amount
            for number, most in hop:
                moved = min(most, left, self.amounts[number].get(site, 0.0))
                self._move(number, site, other, moved)
                touched.add(number)
                left -= moved
                if left <= 0.0:
                    break
        for number in touched:
            for site in self.amounts[number]:
                self._hops[site] = None
        for site in path:
            self._hops[site] = None
        return True

    def _move(self, number: int, site: int, other: int, amount: float) -> None:
        amounts = self.amounts[number]
        left = amounts[site] - amount
        self.load[site] -= amount
        self.load[other] += amount
        amounts[other] = amounts.get(other, 0.0) + amount
        self._at[other][number] = None
        if left <= self._tiny:
            amounts[other] += left
            self.load[site] -= left
            self.load[other] += left
            del amounts[site]
            self._at[site].pop(number, None)
        else:
            amounts[site] = left
