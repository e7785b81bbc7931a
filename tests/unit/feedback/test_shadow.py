"""What those that follow make of a senior observer that publishes nonsense."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from headrace.feedback.control.memory import decode_memory, encode_memory
from headrace.feedback.deciding import Moment
from headrace.feedback.exchange.document import Decision
from headrace.feedback.observation import Outcome
from headrace.feedback.orders import NO_ORDERS
from headrace.feedback.publish.published import Published
from headrace.feedback.shadow import differences
from headrace.feedback.states.model import AlarmKind, State
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from headrace.topology.view_codec import decode_view, encode_view
from tests.harness.observers import START, Observers
from tests.unit.feedback.networks import network, observed

SERVER = "s0a0"
NET = network()
DEAD = {one.name: ServerView(ServerState.FAILED) for one in NET.servers}


def all_failed(decision: Decision) -> Decision:
    """Return a decision with a view that has everything failed."""
    view = replace(decode_view(decision.view), servers=DEAD)
    return msgspec.structs.replace(decision, view=encode_view(view))


def remembered_as_failed(decision: Decision) -> Decision:
    """Return a decision whose memory has the same as its view: everything failed."""
    memory = decode_memory(decision.memory)
    states = memory.states
    servers = {
        name: msgspec.structs.replace(one, state=State.FAILED)
        for name, one in states.servers.items()
    }
    memory = msgspec.structs.replace(
        memory, states=msgspec.structs.replace(states, servers=servers)
    )
    return msgspec.structs.replace(all_failed(decision), memory=encode_memory(memory))


def alarmed(three: Observers, name: str) -> list[str]:
    return [
        one.text
        for one in three[name].deciding.alarms
        if one.kind is AlarmKind.SENIOR_DIFFERS and one.subject == "a"
    ]


def test_a_senior_that_publishes_what_is_not_so_raises_an_alarm_and_is_not_overruled() -> None:
    three = Observers(NET)
    three.seconds(10)
    for lie in (all_failed, remembered_as_failed):
        three["a"].lie = lie
        three.failing[SERVER] = Outcome.TIMEOUT  # something new is published
        three.seconds(20)
        for name in ("b", "c"):
            (text,) = alarmed(three, name)
            assert "is published failed, and here online" in text
            assert text.endswith("; and 8 more")
            assert three[name].deciding.decides == "a"
            assert len(three[name].published[-1].servers) == len(NET.servers)
        three["a"].lie = lambda decision: decision
        three.failing.clear()
        three.seconds(110)
        assert [alarmed(three, name) for name in ("b", "c")] == [[], []]
    raised = [event for event in three["b"].events if b"senior_differs" in event]
    assert [b'"raised":true' in event for event in raised] == [True, False] * 2


def test_what_changes_or_flaps_raises_none() -> None:
    three = Observers(NET)
    for second in range(120):
        if second % 7 == 3:
            three.failing[SERVER] = Outcome.REFUSED
        if second % 11 == 5:
            three.failing.clear()
        three.seconds(1)
        assert [alarmed(three, name) for name in ("b", "c")] == [[], []]
    assert three["b"].shadow.step is not None
    assert three["a"].shadow.step is None


def test_by_another_description_nothing_is_compared() -> None:
    three = Observers(NET)
    three.seconds(10)
    member, moment = three["b"], Moment(three.now_s, START + three.now_s)
    published = member.deciding.published
    assert published is not None
    wrong = Published.of(replace(published.view, servers=DEAD))
    for same in (True, False):
        for later_s in range(6, 40, 6):
            member.deciding.published = wrong
            moment = Moment(moment.steady_s + later_s, moment.clock + later_s)
            work = member.shadow.begin(
                moment, observed(NET), NO_ORDERS, three.controller, same_description=same
            )
            assert work is not None
            member.shadow.end(work())
        assert bool(alarmed(three, "b")) is same


def test_differences_are_of_states_and_of_weights_that_matter() -> None:
    one = View(
        servers={"n": ServerView(weight=0.5), "m": ServerView(ServerState.FAILED)},
        coverage={"c": {"x": 1.0}, "d": {"x": 0.6, "y": 0.4}},
    )
    other = View(
        servers={"n": ServerView(weight=0.7)},
        coverage={"c": {"x": 0.5, "y": 0.5}, "d": {"x": 0.5, "y": 0.5}},
    )
    assert dict(differences(one, other)) == {
        "server m": "m is published failed, and here online",
        "coverage c": "coverage c has other weights for x, y",
    }
    assert not list(differences(one, one))
    assert [key for key, _ in differences(NO_VIEW, View(servers={"n": ServerView(weight=0.5)}))]
