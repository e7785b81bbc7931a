"""Stopping the automation, the time of schedules, heavy shards, and why a server is as it is."""

from __future__ import annotations

from dataclasses import replace

from headrace.feedback.control.controller import Controller, ControllerRules
from headrace.feedback.control.heavy_shards import RENEW_S
from headrace.feedback.control.memory import NO_MEMORY, decode_memory, encode_memory
from headrace.feedback.control.network_time import network_time
from headrace.feedback.control.why import lines, why
from headrace.feedback.observation import NodeReport, Observations
from headrace.feedback.orders import Wish, freeze, wish_server
from headrace.feedback.states.model import State
from headrace.telemetry.load_report import Flow, LoadReport
from headrace.topology.model import ContentClass, Widening, Withdrawal
from headrace.topology.view import ServerState
from tests.unit.feedback.networks import GONE, RULES, Loop, network, observed

NET = network()


def test_a_frozen_view_stays_while_states_are_observed() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    loop.orders = freeze(loop.orders, True)
    loop.see(observed(NET, {"s0a0": GONE}))
    step = loop.see(observed(NET, {"s1a0": GONE}), 10)
    assert loop.states() == {"s0a0": State.RECOVERING, "s1a0": State.FAILED}
    assert {name: one.state for name, one in step.view.servers.items()} == {
        "s0a0": ServerState.FAILED
    }
    loop.orders = freeze(loop.orders, False)
    step = loop.see(observed(NET, {"s1a0": GONE}))
    assert step.view.servers["s1a0"].state is ServerState.FAILED
    assert step.view.servers["s0a0"].state is ServerState.ONLINE
    assert step.memory.kept is None


def test_operators_are_obeyed_while_it_is_frozen() -> None:
    loop = Loop(NET)
    loop.orders = freeze(loop.orders, True)
    loop.well()
    loop.orders = wish_server(loop.orders, "s0a0", Wish.WITHDRAWN, now=loop.now)
    assert loop.well().view.servers["s0a0"].state is ServerState.FAILED
    loop.orders = wish_server(loop.orders, "s0a0", Wish.NONE, now=loop.now)
    assert loop.well().view.servers == {}


def test_what_was_withdrawn_before_it_was_frozen_may_return() -> None:
    loop = Loop(NET)
    loop.orders = wish_server(loop.orders, "s0a0", Wish.WITHDRAWN, now=loop.now)
    loop.well()
    loop.orders = freeze(loop.orders, True)
    assert loop.well().view.servers["s0a0"].state is ServerState.FAILED
    loop.orders = wish_server(loop.orders, "s0a0", Wish.NONE, now=loop.now)
    assert loop.well().view.servers == {}


def test_a_frozen_memory_survives_being_written_down() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    loop.orders = freeze(loop.orders, True)
    step = loop.well()
    assert decode_memory(encode_memory(step.memory)) == step.memory


def test_time_goes_on_from_where_it_was_and_never_back() -> None:
    assert network_time(0.0, 1.0, 500.0) == 500.0
    assert network_time(100.0, 1.0, 101.0) == 101.0
    assert network_time(100.0, 1.0, 106.0) == 101.1
    assert network_time(100.0, 1.0, 96.0) == 100.9
    assert network_time(100.0, 1.0, 1000.0) == 1000.0


def test_maintenance_does_not_end_again_when_the_next_observer_s_clock_is_behind() -> None:
    net = replace(NET, withdrawals=(Withdrawal(1005.0, 2000.0, server="s0a0"),))
    controller = Controller(net, ControllerRules(RULES))
    step = controller.step(NO_MEMORY, observed(net), 1005.5, 1.0)
    assert step.memory.states.servers["s0a0"].state is State.WITHDRAWN
    for second in range(20):
        step = controller.step(step.memory, observed(net), 1001.5 + second, 1.0)
        assert step.memory.states.servers["s0a0"].state is State.WITHDRAWN


def popular(shares: dict[str, float]) -> Observations:
    """Return observations with reports of shards of `video`, which is all that is sent."""
    return replace(
        observed(NET),
        reports={
            server.name: NodeReport(
                0.0,
                LoadReport(
                    node=server.name,
                    role="edge",
                    interval_s=5.0,
                    flows={"all": {"video": Flow(1e9, 10.0)}},
                    shards={"video": shares},
                ),
            )
            for server in NET.servers
        },
    )


def test_a_shard_is_widened_at_once_and_narrowed_slowly() -> None:
    video = ContentClass("video", widening=Widening(above=0.5, below=0.2))
    loop = Loop(replace(NET, classes=(video,)))
    step = loop.see(popular({"film": 0.02}))
    assert step.view.widths == {}
    step = loop.see(popular({"film": 0.9, "other": 0.05}))
    assert step.view.widths == {"video": {"film": 4}}
    assert step.view.demand == {"video": {"film": 0.9, "other": 0.05}}
    same = loop.see(popular({"film": 0.01}), int(RENEW_S) - 1)
    assert same.view == replace(step.view)
    narrower = loop.see(popular({"film": 0.01}), 200)
    assert narrower.view.widths == {}


def test_without_reports_heavy_shards_stay_as_they_are() -> None:
    video = ContentClass("video", widening=Widening(above=0.5, below=0.2))
    loop = Loop(replace(NET, classes=(video,)))
    step = loop.see(popular({"film": 0.9}))
    assert loop.well(500).view.widths == step.view.widths


def test_why_says_the_whole_chain() -> None:
    loop = Loop(NET)
    seen = observed(NET, by={"ob1": {"s0a0": GONE}, "ob2": {"s0a0": GONE}})
    step = loop.see(seen)
    found = why(loop.controller, step, seen, "s0a0")
    assert found is not None
    assert list(lines(found)) == [
        "observer ob1: timeout 0.0 s ago, 5 failed in a row; failed: timeout",
        "observer ob2: timeout 0.0 s ago, 5 failed in a row; failed: timeout",
        "observer ob3: ok 0.0 s ago, 30 good in a row; not failed",
        "a quorum (2) takes it for failed",
        "its flaps left a penalty of 1000: not enough to keep it out",
        "that comes to down (reasons: timeout), so it is failed",
        "it has been failed for 0 s; its weight is 0",
        "the view has it failed",
    ]
    assert why(loop.controller, step, seen, "s9") is None
