"""Lets each policy play each scene, and says what came of it in a few numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from bench.balance.scenes import HAPPENS_S, UNTIL_S, Scene, network
from headrace.simulate.control.rivals import ByRoom, Threshold, TwoChoices
from headrace.simulate.fluid import Conditions, Fluid, Policy, Record
from headrace.simulate.fluid_balance import Balancing
from headrace.topology.model import Topology

POLICIES: dict[str, Callable[[Topology], Policy]] = {
    "nothing": lambda _topology: Policy(),
    "threshold": Threshold,
    "weights by room": ByRoom,
    "better of two": TwoChoices,
    "headrace": Balancing,
}
CONDITIONS = Conditions(report_s=5.0, delay_s=10.0, loss=0.2, lie=0.1, seed=1)
LAST_S = 150.0
"""Oscillation is looked for in so much at the end."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a policy in a scene.

    `peak` is the highest use of a site since it happened; `late` the highest in the last
    LAST_S; `lost` the share of what was wanted since then that came when a site was above what it
    carries; `swing` how much the use of a site changes in the last LAST_S beyond what its demand
    does; `moved` how often the traffic that was wanted changed its site, all in all; `away` the
    share of it that is not served by its first site in the end.
    """

    policy: str
    record: Record
    peak: float
    late: float
    lost: float
    swing: float
    moved: float
    away: float


def play(scene: Scene, policy: str) -> Played:
    """Return what a policy comes to in a scene."""
    topology = network()
    fluid = Fluid(topology, scene.demand, POLICIES[policy](topology), CONDITIONS)
    scene.happen(fluid)
    record = fluid.record
    since = [number for number, at_s in enumerate(record.times_s) if at_s > HAPPENS_S]
    late = [number for number in since if record.times_s[number] >= UNTIL_S - LAST_S]
    wanted = sum(record.wanted_bps[number] for number in since)
    return Played(
        policy,
        record,
        max(uses[number] for uses in record.used.values() for number in since),
        max(uses[number] for uses in record.used.values() for number in late),
        sum(record.beyond_bps[number] for number in since) / wanted,
        max(_swing([uses[number] for number in late]) for uses in record.used.values()),
        sum(record.moved_bps[number] for number in since) / (wanted / len(since)),
        _away(fluid, topology, scene),
    )


def _away(fluid: Fluid, topology: Topology, scene: Scene) -> float:
    first = {one.name: one.sites[0].site for one in topology.coverage}
    wanted = scene.demand(UNTIL_S)
    near = sum(
        bps * fluid.shares(stream).get(first[stream[0]], 0.0) for stream, bps in wanted.items()
    )
    return 1.0 - near / sum(wanted.values())


def _swing(uses: list[float]) -> float:
    """Return how much a line goes up and down beside going from its beginning to its end."""
    way = sum(abs(after - before) for before, after in itertools.pairwise(uses))
    return (way - abs(uses[-1] - uses[0])) / 2
