"""Servers whose VIPs are with their neighbours, and what somebody takes out on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.feedback.control.why import lines, why
from headrace.feedback.observation import NodeReport, Observations, ProbeRecord, VipsHeard
from headrace.feedback.orders import NO_ORDERS, Wish, freeze, wish_server, wish_site
from headrace.feedback.states.model import State, Why
from headrace.telemetry.load_report import LoadReport
from headrace.topology.model import Withdrawal
from headrace.topology.view import Cause, ServerState, ServerView
from headrace.topology.view_codec import decode_view, encode_view
from tests.unit.feedback.networks import REFUSED, Loop, network, observed

NET = network(sites=1, servers=6)
ONE = "s0a0"


def seen(
    vips: dict[str, VipsHeard] | None = None,
    bad: dict[str, ProbeRecord] | None = None,
    draining: tuple[str, ...] = (),
) -> Observations:
    """What observers see, and what servers say of their VIPs and of draining."""
    reports = {
        name: NodeReport(0.0, LoadReport(node=name, role="edge", interval_s=1.0, draining=True))
        for name in draining
    }
    return replace(observed(NET, bad or {}), vips=vips or {}, reports=reports)


def test_who_announces_none_of_its_vips_gets_no_new_clients_and_returns_with_them() -> None:
    loop = Loop(NET)
    loop.see(seen({ONE: VipsHeard(0.5, 0.0)}), 3)
    assert loop.states() == {}
    loop.see(seen({ONE: VipsHeard(0.5, 2.0)}))
    assert loop.states() == {}  # a session that ended for a moment
    step = loop.see(seen({ONE: VipsHeard(0.5, 3.0)}))
    assert loop.states() == {ONE: State.DRAINING}
    assert step.view.servers[ONE] == ServerView(ServerState.DRAINING, cause=Cause.AWAY)
    assert step.changes[0].reasons == (Why.VIPS_AWAY,)
    assert step.alarms == ()
    explained = why(loop.controller, step, seen({ONE: VipsHeard(0.5, 3.0)}), ONE)
    assert explained is not None
    assert "it says that it announces none of its VIPs, for 3 s" in list(lines(explained))
    step = loop.see(seen({ONE: VipsHeard(0.5, 0.0)}))
    assert loop.state(ONE) is State.RECOVERING
    assert step.view.servers[ONE].cause is Cause.OBSERVED


@pytest.mark.parametrize("heard", [None, VipsHeard(11.0, 60.0)])
def test_of_who_says_nothing_of_its_vips_nothing_follows(heard: VipsHeard | None) -> None:
    loop = Loop(NET)
    loop.see(seen({} if heard is None else {ONE: heard}), 5)
    assert loop.states() == {}


def test_an_operator_who_pins_it_wins_and_one_that_fails_has_failed() -> None:
    away = {ONE: VipsHeard(0.0, 60.0)}
    loop = Loop(NET)
    loop.orders = wish_server(NO_ORDERS, ONE, Wish.ONLINE, now=loop.now)
    loop.see(seen(away), 3)
    assert loop.states() == {}
    loop = Loop(NET)
    loop.see(seen(away, {ONE: REFUSED}), 3)
    assert loop.states() == {ONE: State.FAILED}


def test_a_server_that_drained_and_stopped_is_no_failure_that_anybody_wonders_at() -> None:
    """An upgrade of half a site: each drains at the server itself, and its edge is stopped."""
    loop = Loop(NET)
    leaving = tuple(f"s0a{number}" for number in range(4))
    loop.see(seen(draining=leaving), 3)
    for _second in range(40):
        step = loop.see(seen(bad=dict.fromkeys(leaving, REFUSED)))
        assert step.alarms == ()
    assert loop.states() == dict.fromkeys(leaving, State.FAILED)
    assert {loop.memory.states.servers[name].penalty for name in leaving} == {0.0}
    loop.well(2)
    loop.see(seen(bad=dict.fromkeys(leaving, REFUSED)), 3)
    # Not so those that had not drained: most of what is left, at once.
    both = Loop(NET)
    both.well(3)
    assert both.see(seen(bad=dict.fromkeys(leaving, REFUSED))).alarms != ()


def test_one_that_fails_besides_is_seen_as_the_failure_that_it_is() -> None:
    loop = Loop(NET)
    loop.see(seen(draining=(ONE,)), 3)
    loop.see(seen(bad={ONE: REFUSED}), 3)
    loop.see(seen(bad={ONE: REFUSED, "s0a1": REFUSED}), 3)
    records = loop.memory.states.servers
    assert (records[ONE].left, records["s0a1"].left) == (True, False)
    assert records["s0a1"].penalty > 0.0
    loop.well(8)
    assert not loop.memory.states.servers[ONE].left


def test_the_view_says_who_is_out_by_an_order_and_until_when() -> None:
    until = 1_000_100.0
    net = replace(NET, withdrawals=(Withdrawal(1_000_000.0, until, server="s0a5"),))
    loop = Loop(net)
    loop.orders = wish_server(NO_ORDERS, ONE, Wish.WITHDRAWN, now=loop.now, until=until)
    loop.orders = wish_server(loop.orders, "s0a1", Wish.DRAINING, now=loop.now)
    ordered = {
        ONE: ServerView(ServerState.FAILED, cause=Cause.ORDERED, until=until),
        "s0a1": ServerView(ServerState.DRAINING, cause=Cause.ORDERED),
        "s0a5": ServerView(ServerState.FAILED, cause=Cause.ORDERED, until=until),
    }
    step = loop.see(seen({"s0a1": VipsHeard(0.0, 60.0)}))
    assert step.view.servers == ordered
    view = replace(step.view, version=1)
    assert decode_view(encode_view(view)).servers == ordered
    loop.orders = wish_site(loop.orders, "s0", Wish.WITHDRAWN, now=loop.now, until=until)
    assert {one.cause for one in loop.see(seen()).view.servers.values()} == {Cause.ORDERED}
    loop.now = until
    assert loop.see(seen()).view.servers[ONE].cause is Cause.OBSERVED


def test_a_frozen_view_says_so_too() -> None:
    loop = Loop(NET)
    loop.well()
    loop.orders = freeze(NO_ORDERS, True)
    loop.orders = wish_server(loop.orders, ONE, Wish.WITHDRAWN, now=loop.now, until=1_000_100.0)
    ordered = ServerView(ServerState.FAILED, cause=Cause.ORDERED, until=1_000_100.0)
    assert loop.see(seen()).view.servers == {ONE: ordered}
