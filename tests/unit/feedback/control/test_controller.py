"""The controller's step, from observations to the view."""

from __future__ import annotations

from dataclasses import replace

from headrace.feedback.control.controller import Controller, ControllerRules
from headrace.feedback.control.memory import NO_MEMORY, decode_memory, encode_memory
from headrace.feedback.orders import NO_ORDERS, freeze
from headrace.feedback.states.model import State
from headrace.topology.view import ServerState
from headrace.topology.view_codec import decode_view, encode_view
from tests.unit.feedback.networks import GONE, OBSERVERS, REFUSED, RULES, network, observed

NET = network()
CONTROLLER = Controller(NET, ControllerRules(RULES))


def test_what_serves_is_not_in_the_view() -> None:
    step = CONTROLLER.step(NO_MEMORY, observed(NET), 1000.0, 1.0)

    assert step.view.servers == {}
    assert step.changes == ()
    assert {one.state for one in step.memory.states.servers.values()} == {State.ONLINE}


def test_a_server_that_all_see_refuse_is_out_at_once() -> None:
    first = CONTROLLER.step(NO_MEMORY, observed(NET), 1000.0, 1.0)
    step = CONTROLLER.step(first.memory, observed(NET, {"s0a0": REFUSED}), 1001.0, 1.0)

    assert step.view.servers["s0a0"].state is ServerState.FAILED
    (change,) = step.changes
    assert (change.server, change.before, change.after) == ("s0a0", State.ONLINE, State.FAILED)
    assert [one.observer for one in change.evidence] == list(OBSERVERS)


def test_one_observer_takes_nobody_out() -> None:
    seen = observed(NET, by={"ob1": {"s0a0": GONE, "s0a1": GONE}})
    step = CONTROLLER.step(NO_MEMORY, seen, 1000.0, 1.0)

    assert step.view.servers == {}
    assert step.changes == ()


def test_the_memory_survives_being_written_down() -> None:
    step = CONTROLLER.step(NO_MEMORY, observed(NET, {"s0a0": GONE}), 1000.0, 1.0)

    assert decode_memory(encode_memory(step.memory)) == step.memory


def test_the_view_says_its_network_also_while_it_is_frozen() -> None:
    controller = Controller(replace(NET, name="ours"), ControllerRules(RULES))
    step = controller.step(NO_MEMORY, observed(NET), 1000.0, 1.0)
    assert decode_view(encode_view(replace(step.view, version=1))).network == "ours"
    stopped = freeze(NO_ORDERS, True)
    step = controller.step(step.memory, observed(NET), 1001.0, 1.0, stopped)
    assert controller.step(step.memory, observed(NET), 1002.0, 1.0).view.network == "ours"
