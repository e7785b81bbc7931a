"""How servers fail, are doubted and return, as observers see them."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from headrace.feedback.observation import Observations, Observer, Outcome
from headrace.feedback.orders import Wish, wish_server
from headrace.feedback.states.model import AlarmKind, State, Why
from headrace.topology.view import ServerState
from tests.unit.feedback.networks import (
    GONE,
    REFUSED,
    RULES,
    WELL,
    Loop,
    network,
    observed,
    probed,
)

NET = network()
OK = Outcome.OK
ONCE = probed(*[OK] * 30, Outcome.TIMEOUT)
TWICE = probed(*[OK] * 30, Outcome.TIMEOUT, Outcome.TIMEOUT)


def test_one_failed_probe_makes_a_suspect_who_keeps_its_clients() -> None:
    loop = Loop(NET)
    step = loop.see(observed(NET, {"s0a0": ONCE}))

    assert loop.states() == {"s0a0": State.SUSPECT}
    assert step.view.servers == {}
    loop.well()
    assert loop.states() == {}


def test_two_failed_probes_in_a_row_take_it_out() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": ONCE}))
    step = loop.see(observed(NET, {"s0a0": TWICE}))

    assert loop.states() == {"s0a0": State.FAILED}
    assert step.view.servers["s0a0"].state is ServerState.FAILED
    assert step.changes[0].reasons == (Why.TIMEOUT,)


def test_a_refused_connection_is_enough_for_a_quorum_of_two_of_three() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, by={"ob1": {"s0a0": REFUSED}}))
    assert loop.states() == {}
    loop.see(observed(NET, by={"ob1": {"s0a0": REFUSED}, "ob3": {"s0a0": REFUSED}}))
    assert loop.states() == {"s0a0": State.FAILED}


def test_a_refused_connection_counts_no_less_than_another_failure() -> None:
    loop = Loop(NET, replace(RULES, refusals=9))
    loop.see(observed(NET, {"s0a0": probed(OK, Outcome.REFUSED, Outcome.REFUSED)}))
    assert loop.states() == {"s0a0": State.FAILED}


def test_one_observer_that_is_the_only_one_must_have_seen_more() -> None:
    loop = Loop(NET, replace(RULES, observers=("ob1",)))
    loop.see(observed(NET, {"s0a0": TWICE, "s1a0": REFUSED}, observers=["ob1"]))
    assert loop.states() == {"s0a0": State.SUSPECT, "s1a0": State.SUSPECT}
    refused = probed(OK, Outcome.REFUSED, Outcome.REFUSED)
    loop.see(observed(NET, {"s0a0": GONE, "s1a0": refused}, observers=["ob1"]))
    assert loop.states() == {"s0a0": State.FAILED, "s1a0": State.FAILED}


@pytest.mark.parametrize(
    "outcome",
    [one for one in Outcome if one not in {Outcome.OK, Outcome.SLOW}],
)
def test_wrong_answers_are_as_bad_as_none(outcome: Outcome) -> None:
    loop = Loop(NET)
    step = loop.see(observed(NET, {"s0a0": probed(OK, outcome, outcome)}))

    assert loop.states() == {"s0a0": State.FAILED}
    assert step.changes[0].reasons == (Why(outcome),)


def test_slow_answers_need_more_probes() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": probed(*[OK] * 9, *[Outcome.SLOW] * 4)}))
    assert loop.states() == {"s0a0": State.SUSPECT}
    loop.see(observed(NET, {"s0a0": probed(*[OK] * 9, *[Outcome.SLOW] * 5)}))
    assert loop.states() == {"s0a0": State.FAILED}


def test_a_server_that_fails_every_other_probe_is_found() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": probed(*[OK, Outcome.CUT] * 10)}))
    assert loop.states() == {"s0a0": State.FAILED}
    loop.see(observed(NET, {"s0a0": probed(*[OK, Outcome.CUT] * 10, OK)}))
    assert loop.states() == {"s0a0": State.FAILED}


def test_it_returns_by_steps_after_five_good_probes() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    back = [*[Outcome.TIMEOUT] * 2, *[OK] * 4]
    loop.see(observed(NET, {"s0a0": probed(*back)}))
    assert loop.states() == {"s0a0": State.FAILED}
    step = loop.see(observed(NET, {"s0a0": probed(*back, OK)}))
    assert loop.states() == {"s0a0": State.RECOVERING}

    weights = [step.view.servers["s0a0"].weight]
    while loop.states():
        seen = loop.well().view.servers.get("s0a0")
        weights.append(1.0 if seen is None else seen.weight)
    assert weights[0] == 0.1
    assert weights == sorted(weights)
    assert len(set(weights)) == 11
    assert 59 <= len(weights) <= 62


def test_what_speaks_against_it_halts_the_ramp_and_a_failure_ends_it() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    loop.well(30)
    ramp = loop.memory.states.servers["s0a0"].ramp
    loop.see(observed(NET, {"s0a0": ONCE}))
    assert loop.memory.states.servers["s0a0"].ramp == ramp
    loop.see(observed(NET, {"s0a0": TWICE}))
    assert loop.state("s0a0") is State.FAILED
    step = loop.well()
    assert step.view.servers["s0a0"].weight == 0.1


def test_a_server_that_flaps_is_kept_out_until_it_is_forgotten() -> None:
    loop = Loop(NET)
    for _flap in range(3):
        loop.well(10)
        loop.see(observed(NET, {"s0a0": GONE}), 5)
    loop.well(10)
    assert loop.states() == {"s0a0": State.FAILED}
    assert loop.memory.states.servers["s0a0"].suppressed
    loop.well(300)
    assert loop.states() == {"s0a0": State.FAILED}
    loop.well(400)
    assert loop.states() == {}


def test_flapping_forever_is_suppressed_for_a_bounded_time() -> None:
    loop = Loop(NET, replace(RULES, longest_suppress_s=600.0))
    for _flap in range(30):
        loop.well(6)
        loop.see(observed(NET, {"s0a0": GONE}), 2)
    loop.well(700)
    assert loop.states() == {}


def test_a_broken_observer_is_counted_out() -> None:
    everything = {server.name: GONE for server in NET.servers}
    loop = Loop(NET)
    step = loop.see(observed(NET, by={"ob2": everything}))
    assert loop.states() == {}
    assert [(one.kind, one.subject) for one in step.alarms] == [(AlarmKind.UNSOUND_OBSERVER, "ob2")]
    both = {"ob2": everything, "ob1": {"s0a0": TWICE}, "ob3": {"s0a0": TWICE}}
    loop.see(observed(NET, by=both))
    assert loop.states() == {"s0a0": State.FAILED}


def test_too_few_observers_take_nobody_out_but_let_return() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    step = loop.see(observed(NET, {"s1a0": GONE}, observers=["ob1"]), 5)
    assert loop.states() == {"s0a0": State.RECOVERING}
    assert loop.memory.states.servers["s1a0"].reasons == (Why.FEW_OBSERVERS, Why.TIMEOUT)
    assert AlarmKind.FEW_OBSERVERS in {one.kind for one in step.alarms}


def test_what_has_just_failed_stays_out_when_observers_die() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    loop.see(observed(NET, {"s0a0": GONE}, observers=["ob1"]), 5)
    assert loop.states() == {"s0a0": State.FAILED}


def test_without_observers_all_stays_as_it_is() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    assert loop.see(observed(NET, observers=[]), 3).alarms == ()
    step = loop.see(observed(NET, observers=[]), 100)
    assert loop.states() == {"s0a0": State.FAILED}
    assert [one.kind for one in step.alarms] == [AlarmKind.FEW_OBSERVERS]


def test_who_is_not_configured_is_not_heard() -> None:
    loop = Loop(NET)
    strangers = [f"x{number}" for number in range(9)]
    loop.see(observed(NET, by={one: {"s0a0": GONE} for one in strangers}, observers=strangers))
    assert loop.states() == {}


def test_a_new_server_of_a_running_network_begins_small() -> None:
    loop = Loop(NET)
    loop.well()
    larger = Loop(network(servers=5))
    larger.memory = loop.memory
    step = larger.well()
    assert larger.states() == {f"s{site}a4": State.RECOVERING for site in range(3)}
    assert step.view.servers["s0a4"].weight == 0.1
    larger.well(70)
    assert larger.states() == {}
    assert WELL.successes >= RULES.successes


def test_a_suspect_is_cleared_by_two_good_probes() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": ONCE}))
    loop.see(observed(NET, {"s0a0": probed(*[OK] * 30, Outcome.TIMEOUT, OK)}))
    assert loop.states() == {"s0a0": State.SUSPECT}
    loop.see(observed(NET, {"s0a0": probed(*[OK] * 30, Outcome.TIMEOUT, OK, OK)}))
    assert loop.states() == {}


def test_what_an_operator_sees_to_begins_again_without_its_flaps() -> None:
    for wish in (Wish.WITHDRAWN, Wish.ONLINE):
        loop = Loop(NET)
        for _flap in range(3):
            loop.well(7)
            loop.see(observed(NET, {"s0a0": GONE}), 2)
        assert loop.memory.states.servers["s0a0"].suppressed
        loop.orders = wish_server(loop.orders, "s0a0", wish, now=loop.now)
        loop.well()
        loop.orders = wish_server(loop.orders, "s0a0", Wish.NONE, now=loop.now)
        loop.well()
        after = loop.memory.states.servers["s0a0"]
        assert (after.penalty, after.suppressed) == (0.0, False)
        assert after.state in {State.RECOVERING, State.ONLINE}


def test_an_observer_that_sees_little_has_no_vote() -> None:
    """Two of three see a server fail; one of the two has lost most of its probes."""
    loop = Loop(NET)
    seen = observed(NET, by={"ob1": {"s0a0": TWICE}, "ob2": {"s0a0": TWICE}})
    few = {name: one for name, one in seen.observers["ob2"].probes.items() if name < "s1"}
    one_eyed = {**seen.observers, "ob2": Observer("ob2", 0.0, few)}
    loop.see(Observations(one_eyed))
    assert loop.states() == {"s0a0": State.SUSPECT}
    loop.see(seen)
    assert loop.states() == {"s0a0": State.FAILED}


def test_what_was_told_long_ago_does_not_count() -> None:
    """A probe's age is that which it was told with, and that of the telling."""
    net = replace(NET, servers=NET.servers[:3])
    old = dict.fromkeys([one.name for one in net.servers], WELL)
    stale = {"s0a0": msgspec.structs.replace(WELL, age_s=2.0)}
    loop = Loop(net, replace(RULES, observers=("ob1", "ob2")))
    seen = observed(net, {"s0a0": GONE}, observers=["ob2"]).observers
    for _second in range(3):
        loop.see(Observations({**seen, "ob1": Observer("ob1", 2.0, {**old, **stale})}))
        assert loop.memory.states.servers["s0a0"].reasons == (Why.NO_QUORUM,)
    loop.see(Observations({**seen, "ob1": Observer("ob1", 1.0, {**old, **stale})}))
    assert loop.states() == {"s0a0": State.SUSPECT}
