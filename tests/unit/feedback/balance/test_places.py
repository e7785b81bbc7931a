"""Clients whose place decides: the balance learns where they are, and moves what it must."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.feedback.balance.model import Balance, Reach
from headrace.feedback.balance.weights import view_weights
from headrace.simulate.fluid import Conditions, Fluid, Stream, highest
from headrace.simulate.fluid_balance import Balancing
from headrace.topology.model import Topology
from tests.unit.feedback.balance.networks import GBPS, network

NEAR = {"c": {"a": 0.8, "b": 0.15, "x": 0.05}}


def open_internet(*, default: bool = True) -> Topology:
    """Return three sites of 60 Gb/s that share all clients, wherever they are."""
    made = network({"c": [["a", "b", "x"]]})
    return replace(made, coverage=tuple(replace(one, default=default) for one in made.coverage))


def demand(now_s: float) -> dict[Stream, float]:
    # The first site comes to 72 %, and from 150 s on to 96 %.
    return {("c", "vod"): (54.0 if now_s < 150.0 else 72.0) * GBPS}


@pytest.mark.parametrize("conditions", [Conditions(), Conditions(delay_s=10.0, loss=0.2)])
def test_the_nearest_keeps_what_it_can_carry(conditions: Conditions) -> None:
    topology = open_internet()
    policy = Balancing(topology)
    fluid = Fluid(topology, demand, policy, conditions, near=NEAR)
    before = fluid.run(149.0)
    assert policy.memory.weights == {}
    assert policy.memory.near == pytest.approx(NEAR["c"], abs=0.02)
    assert before.used["a"][-1] == pytest.approx(0.72)
    record = fluid.run(500.0)
    assert highest(record, ["a"], 150.0 + 60.0) <= 0.8 * 1.05
    # No more than has to: it does not fall far below its target.
    assert min(record.used["a"][160:]) >= 0.8 * 0.93
    late = record.used["a"][400:]
    assert max(late) - min(late) <= 0.01
    assert highest(record, ["b", "x"], 0.0) <= 0.8


def test_where_weights_decide_it_is_the_same() -> None:
    topology = open_internet()
    policy = Balancing(topology)
    fluid = Fluid(topology, lambda _now_s: {("c", "vod"): 100.0 * GBPS}, policy, Conditions())
    fluid.run(100.0)
    assert policy.memory.weights == {}
    assert policy.memory.near == pytest.approx(dict.fromkeys(("a", "b", "x"), 1 / 3), abs=1e-6)


def test_a_site_keeps_the_part_of_its_clients_that_the_weights_say() -> None:
    topology = open_internet()
    memory = Balance(
        near={"a": 0.8, "b": 0.2, "x": 0.0},
        weights={"c": {Reach.ANYWHERE: {"a": 0.6, "b": 0.2, "x": 0.2}}},
    )
    shared, _own = view_weights(memory, topology)
    # Three quarters of a third: routers compare it with the third that the description gives it.
    assert shared["c"]["a"] == pytest.approx(0.25, abs=1e-3)
    assert shared["c"]["b"] >= 1 / 3 - 1e-3
    assert sum(shared["c"].values()) == pytest.approx(1.0, abs=1e-3)


def test_of_other_coverages_nothing_is_learned() -> None:
    topology = open_internet(default=False)
    policy = Balancing(topology)
    Fluid(topology, demand, policy, Conditions(), near=NEAR).run(50.0)
    assert policy.memory.near == {}
