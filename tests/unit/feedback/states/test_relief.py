"""Full servers: their clients leave in proportion, and no load swings from one to the next."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feedback.observation import NodeReport, Observations
from headrace.feedback.orders import Mode, Wish, wish_server
from headrace.feedback.states.model import State
from headrace.telemetry.load_report import LoadReport
from headrace.topology.model import Topology
from headrace.topology.view import ServerState, ServerView
from tests.unit.feedback.networks import GONE, Loop, observed
from tests.unit.feedback.states.crowd import MBPS, Crowd, network, swing

TWO = network([[20, 20]])


def told(net: Topology, **used: float) -> Observations:
    """Return that servers send such shares of what they can."""
    capacities = {server.name: server.capacity_bps for server in net.servers}
    reports = {
        name: NodeReport(
            0.0,
            LoadReport(node=name, role="edge", interval_s=5.0, egress_bps=share * capacities[name]),
        )
        for name, share in used.items()
    }
    return replace(observed(net), reports=reports)


@pytest.mark.parametrize("mode", [Mode.STATES, Mode.BOTH])
def test_short_sessions_do_not_swing_between_two_sites_of_two_servers(mode: Mode) -> None:
    net = network([[15, 15], [15, 15]], ttl_s=4.0)
    heavy = {"s0a0": 2.2, "s1a1": 1.8}
    crowd = Crowd(net, 41 * MBPS, heavy=heavy, follow_s=4, sessions=True, mode=mode, noise=0.05)
    assert max(crowd_used(crowd, 5)) > 0.95
    crowd.run(400)
    assert swing(crowd.used[200:]) < 0.1
    assert max(max(used.values()) for used in crowd.used[200:]) <= 0.96


def crowd_used(crowd: Crowd, seconds: int) -> list[float]:
    crowd.run(seconds)
    return list(crowd.used[-1].values())


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.sampled_from([10, 20, 40]), min_size=2, max_size=4),
    st.floats(0.6, 1.0),
    st.data(),
    st.sampled_from([2, 4, 10, 20, 40, 60]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.05]),
)
def test_below_the_targets_no_load_swings_for_ever(
    capacities: list[int],
    part: float,
    data: st.DataObject,
    follow_s: int,
    sessions: bool,
    disturbed: bool,
    noise: float,
) -> None:
    net = network([capacities])
    draws = st.floats(0.5, 2.5)
    heavy = {server.name: data.draw(draws) for server in net.servers}
    crowd = Crowd(
        net,
        part * 0.75 * sum(capacities) * MBPS,
        heavy=heavy,
        follow_s=follow_s,
        sessions=sessions,
        noise=noise,
        first="s0a0" if disturbed else None,
    )
    crowd.run(200 + 5 * follow_s)
    crowd.run(200)
    assert swing(crowd.used[-200:]) < 0.2
    assert max(max(used.values()) for used in crowd.used[-200:]) <= 1.0


def test_a_full_server_gives_away_what_is_too_much_and_no_more() -> None:
    loop = Loop(TWO)
    step = loop.see(told(TWO, s0a0=1.0, s0a1=0.4), 2)
    assert loop.states() == {"s0a0": State.FULL}
    assert step.view.servers["s0a0"].state is ServerState.ONLINE
    assert step.view.servers["s0a0"].weight == pytest.approx(0.8)
    assert "s0a1" not in step.view.servers


def test_it_waits_while_its_load_falls_and_then_gives_more() -> None:
    loop = Loop(TWO)
    weights = []
    for used in (1.5, 1.4, 1.3, 1.2):
        step = loop.see(told(TWO, s0a0=used, s0a1=0.1), 6)
        weights.append(step.view.servers["s0a0"].weight)
    assert weights == [pytest.approx(0.7)] * 4
    step = loop.see(told(TWO, s0a0=1.2, s0a1=0.1), 11)
    assert step.view.servers["s0a0"].weight == pytest.approx(0.7 * 0.7)


def test_it_never_gives_all() -> None:
    three = network([[1000, 1000, 10]])
    step = Loop(three).see(told(three, s0a0=0.1, s0a1=0.1, s0a2=50.0), 600)
    assert step.view.servers["s0a2"].weight == pytest.approx(0.1)
    assert step.view.servers["s0a2"].state is ServerState.ONLINE


def test_its_weight_returns_in_steps_while_its_load_does_not_rise() -> None:
    loop = Loop(TWO)
    loop.see(told(TWO, s0a0=1.0, s0a1=0.4), 2)
    weights = []
    for _time in range(3):
        step = loop.see(told(TWO, s0a0=0.5, s0a1=0.4), 10)
        weights.append(step.view.servers["s0a0"].weight)
    assert loop.states() == {}
    assert weights == sorted(weights)
    assert max(b - a for a, b in pairwise(weights)) <= 0.05 + 1e-9
    step = loop.see(told(TWO, s0a0=0.5, s0a1=0.4), 60)
    assert step.view.servers == {}


def test_servers_that_are_all_as_full_give_nothing_to_each_other() -> None:
    loop = Loop(TWO)
    step = loop.see(told(TWO, s0a0=0.97, s0a1=0.97), 300)
    assert loop.states() == {"s0a0": State.FULL, "s0a1": State.FULL}
    assert step.view.servers == {}


def test_a_site_that_is_full_as_a_whole_gets_no_new_clients() -> None:
    net = network([[20, 20], [20, 20]])
    loop = Loop(net, mode=Mode.BOTH)
    step = loop.see(told(net, s0a0=1.1, s0a1=0.97, s1a0=0.1, s1a1=0.1), 3)
    assert {name: one.state for name, one in step.view.servers.items()} == {
        "s0a0": ServerState.FULL,
        "s0a1": ServerState.FULL,
    }
    step = loop.see(told(net, s0a0=0.9, s0a1=0.9, s1a0=0.5, s1a1=0.5), 60)
    assert step.view.servers["s0a1"].state is ServerState.FULL
    step = loop.see(told(net, s0a0=0.8, s0a1=0.9, s1a0=0.5, s1a1=0.5), 6)
    assert all(one.state is ServerState.ONLINE for one in step.view.servers.values())


def test_the_balance_does_not_take_a_lowered_weight_for_less_room() -> None:
    loop = Loop(TWO, mode=Mode.BOTH)
    step = loop.see(told(TWO, s0a0=1.0, s0a1=0.4), 12)
    assert step.view.servers["s0a0"].weight < 1.0
    assert step.explanation.balance is not None
    assert [site.capacity_bps for site in step.explanation.balance.sites] == [40 * MBPS]


def test_a_server_that_failed_or_is_pinned_is_not_relieved_any_more() -> None:
    loop = Loop(TWO)
    loop.see(told(TWO, s0a0=1.0, s0a1=0.4), 2)
    kept = loop.memory
    loop.see(observed(TWO, {"s0a0": GONE}))
    assert loop.memory.states.servers["s0a0"].relief == 1.0
    loop.memory = kept
    loop.orders = wish_server(loop.orders, "s0a0", Wish.ONLINE, now=loop.now)
    step = loop.see(told(TWO, s0a0=1.0, s0a1=0.4))
    assert step.view.servers == {}


def test_one_that_is_full_again_when_it_is_raised_waits_longer_each_time() -> None:
    loop = Loop(TWO)
    waits = []
    for _time in range(3):
        step = loop.see(told(TWO, s0a0=1.0, s0a1=0.4), 3)
        lowered = step.view.servers["s0a0"].weight
        seconds = 0
        while step.view.servers.get("s0a0", ServerView()).weight <= lowered:
            step = loop.see(told(TWO, s0a0=0.7, s0a1=0.4))
            seconds += 1
            assert seconds < 100
        waits.append(seconds)
    assert waits[0] <= 11
    assert waits[1] > 1.7 * waits[0]
    assert waits[2] > 1.7 * waits[1]
