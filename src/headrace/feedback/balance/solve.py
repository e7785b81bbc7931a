"""Where the traffic of all clusters is best served: what fits below the targets, else evenly. Pure.

Nothing is moved that need not be. Where all sites that could help are at their targets, what is
too much is spread: all of them rise evenly between their targets and their capacities, and past
those only when there is no room anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.feedback.balance.flow import Flow, State
from headrace.feedback.balance.groups import Cluster

LEVELS = (*(step / 8 for step in range(1, 9)), 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)
"""How far sites are filled beyond their targets, one after the other: 1 is to their capacity, 2 is
to twice that."""

_HALVINGS = 4


@dataclass(frozen=True, slots=True)
class Room:
    """What of a site is there for clients that can be moved: up to its target, up to all of its
    capacity; `beside` is what else it carries. What is `closed` keeps what it has, its target, and
    gets no more at any level."""

    target: float
    whole: float
    beside: float = 0.0
    closed: bool = False

    def at(self, level: float) -> float:
        """Return the room at a level beyond the target."""
        if self.closed:
            return self.target
        if level <= 1.0:
            return self.target + level * (self.whole - self.target) - self.beside
        return self.whole * level - self.beside


@dataclass(frozen=True, slots=True)
class Solution:
    """The shares of each cluster by site, the load of each site, and how far beyond the targets
    they had to be filled (None: nothing helped)."""

    shares: list[dict[int, float]]
    load: list[float]
    level: float | None


def solve(clusters: Sequence[Cluster], demand: Sequence[float], rooms: Sequence[Room]) -> Solution:
    """Return where traffic is best served."""
    flow = Flow(clusters, demand, len(rooms))
    level = _fill(flow, rooms)
    shares = [
        dict(_shares(cluster, wanted, amounts))
        for cluster, wanted, amounts in zip(clusters, demand, flow.amounts, strict=True)
    ]
    return Solution(shares, flow.load, level)


def _fill(flow: Flow, rooms: Sequence[Room]) -> float | None:
    """Fill sites to the lowest level at which none has too much."""
    below = 0.0
    if flow.settle([room.at(0.0) for room in rooms]):
        return 0.0
    for level in LEVELS:
        before = flow.state()
        if flow.settle([room.at(level) for room in rooms]):
            return _finer(flow, rooms, before, below, level)
        below = level
    return None


def _finer(flow: Flow, rooms: Sequence[Room], before: State, below: float, above: float) -> float:
    """Fill to a level between one that did not do and one that did."""
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        done = flow.state()
        flow.restore(before)
        if flow.settle([room.at(middle) for room in rooms]):
            above = middle
        else:
            below = middle
            before = flow.state()
            flow.restore(done)
    return above


def _shares(
    cluster: Cluster, wanted: float, amounts: dict[int, float]
) -> Iterator[tuple[int, float]]:
    total = sum(amounts.values())
    if wanted <= 0.0 or total <= 0.0:
        return ((site, own) for site, own in zip(cluster.sites, cluster.own, strict=True) if own)
    return ((site, amounts[site] / total) for site in cluster.sites if site in amounts)
