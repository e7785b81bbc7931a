"""The feedback loop of a simulation: the controller that runs in `headrace feedback`, step by step.

It steps as often as observers probe. Where nothing changes, one step stands for all of an interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from headrace.config.scenario.model import ScenarioConfig
from headrace.feedback.control.controller import Controller, ControllerRules
from headrace.feedback.control.memory import NO_MEMORY
from headrace.feedback.observation import Observations
from headrace.feedback.orders import NO_ORDERS, Mode, Wish, wish_server
from headrace.feedback.states.model import Alarm, Change, State, States
from headrace.feedback.states.ramp import weight
from headrace.feedback.states.rules import StateRules
from headrace.simulate.control.probes import Probes, observer_names
from headrace.simulate.control.reports import Reports
from headrace.simulate.control.rivals import rival
from headrace.simulate.demand.chance import chance_of
from headrace.simulate.node import Node
from headrace.topology.model import Topology
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View

BEGAN_AT = 1_700_000_000.0
"""The Unix time at which simulations begin, for the controller's schedules."""

_WISHES = {
    ServerState.FAILED: Wish.WITHDRAWN,
    ServerState.DRAINING: Wish.DRAINING,
    ServerState.ONLINE: Wish.NONE,
}


class Loop:
    """Observes nodes and decides on views."""

    def __init__(self, config: ScenarioConfig, topology: Topology, mode: Mode) -> None:
        table = config.control
        rules = StateRules(observers=observer_names(table.observers))
        self.table = table
        self.changes: list[Change] = []
        self.alarms: list[tuple[float, Alarm]] = []
        self._rules = rules
        self._rival = None if table.controller == "headrace" else rival(table.controller, topology)
        # A rival decides about load in place of version 2, and of what version 1 does about it.
        mode = mode if self._rival is None else Mode.STATES
        self._controller = Controller(topology, ControllerRules(rules, mode))
        self._memory = NO_MEMORY
        self._probes = Probes(table.observers, table.bad_observers, topology)
        self._reports = Reports(table, chance_of(config.seed, "reports"), 1 / config.scale)
        self._view = NO_VIEW
        self._calm = False
        self._orders = NO_ORDERS
        self._told: dict[str, ServerView] = {}
        self._known_alarms: frozenset[Alarm] = frozenset()

    def step(
        self, now: float, interval_s: float, nodes: Sequence[Node], told: Mapping[str, ServerView]
    ) -> View | None:
        """Observe the interval that ends now; return the view, or None where it stays as it is.

        `told` is what operators say of servers.
        """
        nodes = [node for node in nodes if not node.is_external]
        self._order(told, now)
        disturbed = any(not node.is_up or node.is_slow or node.gives_wrong for node in nodes)
        count = max(1, round(interval_s / self.table.probe_s))
        if self._calm and not disturbed and not self.table.bad_observers:
            count = 1
        begins = now - interval_s
        view = self._view
        for turn in range(1, count + 1):
            at = begins + interval_s * turn / count
            self._probes.probe(nodes, at)
            if turn == count:
                # They are made at the end: before it, those of the interval before are known.
                self._reports.collect(nodes, now, interval_s)
            view = self._once(at, interval_s / count)
        if view == self._view:
            return None
        self._view = view
        return view

    def _once(self, now: float, elapsed_s: float) -> View:
        observations = Observations(self._probes.observers(now), self._reports.known(now))
        step = self._controller.step(
            self._memory, observations, BEGAN_AT + now, elapsed_s, self._orders
        )
        self._memory = step.memory
        self.changes += [msgspec.structs.replace(one, at=now) for one in step.changes]
        alarms = frozenset(step.alarms)
        self.alarms += [(now, one) for one in sorted(alarms - self._known_alarms)]
        self._known_alarms = alarms
        self._calm = not step.changes and not step.view.servers and not alarms
        if self._rival is None:
            return step.view
        able = able_servers(step.memory.states, self._rules)
        return self._rival.step(able, observations.reports, elapsed_s)

    def _order(self, told: Mapping[str, ServerView], now: float) -> None:
        """Give the controller the orders that operators' words come to."""
        if told == self._told:
            return
        changed = {
            name: told.get(name, _UNSEEN).state
            for name in sorted(told.keys() | self._told.keys())
            if told.get(name, _UNSEEN).state is not self._told.get(name, _UNSEEN).state
        }
        for name, state in changed.items():
            self._orders = wish_server(self._orders, name, _WISHES[state], now=BEGAN_AT + now)
        self._told = dict(told)
        self._calm = False


_UNSEEN = ServerView()


def able_servers(states: States, rules: StateRules) -> dict[str, ServerView]:
    """Return what servers are able to carry, whatever their load is; nothing of those that can
    all.
    """
    found: dict[str, ServerView] = {}
    for name, record in states.servers.items():
        one = ServerView(_ABLE.get(record.state, ServerState.ONLINE), weight(record, rules))
        if one != _UNSEEN:
            found[name] = one
    return found


_ABLE = {
    State.FAILED: ServerState.FAILED,
    State.WITHDRAWN: ServerState.FAILED,
    State.DRAINING: ServerState.DRAINING,
}


def loop_of(config: ScenarioConfig, topology: Topology) -> Loop | None:
    """Return the loop that a scenario wants; None: nobody observes."""
    if config.control.mode == "none":
        return None
    return Loop(config, topology, Mode.BOTH if config.control.mode == "both" else Mode.STATES)
