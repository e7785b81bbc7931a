"""The controller: one step from what is observed to the view that the network goes by. Pure.

The running loop and the simulator call the same step. Two that begin with the same memory, the same
observations and the same orders come to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import msgspec

from headrace.feedback.balance.explanation import BalanceExplanation
from headrace.feedback.balance.groups import Groups as ClientGroups
from headrace.feedback.balance.rules import DEFAULT_RULES, BalanceRules
from headrace.feedback.control.balanced import balanced
from headrace.feedback.control.frozen import frozen_view, to_keep
from headrace.feedback.control.heavy_shards import HeavyShards, next_heavy_shards
from headrace.feedback.control.memory import MOST_ALARMS, Memory
from headrace.feedback.control.network_time import bounded_elapsed_s, network_time
from headrace.feedback.control.site_shares import ByCoverage, shared_weights
from headrace.feedback.observation import Observations
from headrace.feedback.order_join import merge, without_forgotten
from headrace.feedback.orders import NO_ORDERS, Mode, Orders, Wish
from headrace.feedback.states.groups import Groups
from headrace.feedback.states.model import (
    SERVING,
    Alarm,
    Change,
    ServerRecord,
    State,
    States,
    Why,
)
from headrace.feedback.states.ramp import offered, weight
from headrace.feedback.states.rules import StateRules
from headrace.feedback.states.step import StateStep
from headrace.feedback.states.step import step as step_states
from headrace.feedback.states.wanted import NOTHING_WANTED, Wanted
from headrace.topology.model import Topology
from headrace.topology.view import Cause, ServerState, ServerView, View
from headrace.topology.view_codec import WireView, view_of, wire_of

_SEEN: Mapping[State, ServerState] = {
    State.ONLINE: ServerState.ONLINE,
    State.SUSPECT: ServerState.ONLINE,
    State.RECOVERING: ServerState.ONLINE,
    State.FULL: ServerState.ONLINE,
    State.DRAINING: ServerState.DRAINING,
    State.FAILED: ServerState.FAILED,
    State.WITHDRAWN: ServerState.FAILED,
}
_PLAIN = ServerView()


@dataclass(frozen=True, slots=True)
class ControllerRules:
    """What the controller goes by."""

    states: StateRules
    mode: Mode = Mode.STATES
    balance: BalanceRules = DEFAULT_RULES


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a step came to what it did: all that version 1 had before it, and what the balance came
    to when its weights were last worked out here (None: not yet)."""

    states: StateStep
    balance: BalanceExplanation | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a step came to. The memory is for the next step. The view has neither version nor time:
    who publishes it gives it both. `changes` are this step's, `alarms` are in force now.
    """

    memory: Memory
    view: View
    changes: tuple[Change, ...]
    alarms: tuple[Alarm, ...]
    explanation: Explanation


class Controller:
    """Computes steps for one topology under one set of rules. It keeps nothing between them but
    what it explains: no step depends on that."""

    def __init__(self, topology: Topology, rules: ControllerRules) -> None:
        self.topology = topology
        self.rules = rules
        self._groups = Groups(topology)
        self._clients = ClientGroups(topology)
        self._balanced: BalanceExplanation | None = None

    def apart(self) -> Controller:
        """Return one that computes the same, and keeps what it explains to itself."""
        return copy(self)

    def step(
        self,
        memory: Memory,
        observations: Observations,
        now: float,
        elapsed_s: float,
        orders: Orders = NO_ORDERS,
    ) -> Step:
        """Return what follows from a memory and what is observed, `elapsed_s` after the step that
        the memory came of.

        `now` is Unix time, for schedules and for when things happened; it may differ from the
        clock of whoever the memory came of. `orders` are all that is known of operators' wishes;
        those in the memory are known too.
        """
        elapsed_s = bounded_elapsed_s(elapsed_s)
        at = network_time(memory.at, elapsed_s, now)
        known = without_forgotten(merge(memory.orders, orders), at)
        rules = self.rules.states
        step = step_states(memory.states, observations, self._groups, rules, at, elapsed_s, known)
        heavy = next_heavy_shards(
            memory.heavy, observations.reports, self.topology, rules.report_age_s, elapsed_s
        )
        mode = self._mode(known)
        servers = self._servers(step.states, step.wishes, closes=self._closes(mode))
        shared = balanced(
            memory.balance,
            self._clients,
            self._able(step.states, servers),
            observations.reports,
            self.rules.balance,
            elapsed_s,
            mode=mode,
            frozen=known.frozen,
        )
        if shared.explanation is not None or mode is Mode.STATES:
            self._balanced = shared.explanation
        weights = shared.coverage, shared.by_class
        if mode is not Mode.BOTH and step.states.sites:
            weights = self._site_shares(step.states)
        view = self._view(servers, weights, heavy)
        kept, view = _frozen(memory, view, step.wishes) if known.frozen else (None, view)
        after = msgspec.structs.replace(
            memory,
            at=at,
            states=step.states,
            orders=known,
            heavy=heavy,
            balance=shared.memory,
            kept=kept,
            alarms=step.alarms[:MOST_ALARMS],
        )
        return Step(after, view, step.changes, step.alarms, Explanation(step, self._balanced))

    def _mode(self, orders: Orders) -> Mode:
        """Return the mode: the operator's, else the configured one."""
        ordered = None if orders.mode is None else orders.mode.mode
        return self.rules.mode if ordered is None else ordered

    def _view(
        self,
        servers: Mapping[str, ServerView],
        weights: tuple[ByCoverage, dict[str, ByCoverage]],
        heavy: HeavyShards,
    ) -> View:
        coverage, by_class = weights
        return View(
            servers=servers,
            coverage=coverage,
            demand=heavy.demand,
            widths=heavy.widths,
            by_class=by_class,
            network=self.topology.name,
        )

    def _closes(self, mode: Mode) -> bool:
        """Return whether a site that is full as a whole gets no new clients at all: beside the
        balance, which moves what is too much before; and where there are clients of no coverage,
        of whom no weight moves a part."""
        return mode is Mode.BOTH or not any(one.default for one in self.topology.coverage)

    def _site_shares(self, states: States) -> tuple[ByCoverage, dict[str, ByCoverage]]:
        """Return the weights by which full sites pass on a part of their clients."""
        alive = {
            server.site
            for server in self.topology.servers
            if server.name in states.servers and states.servers[server.name].state in SERVING
        }
        shares = {site: record.share for site, record in states.sites.items()}
        return shared_weights(self.topology, shares, alive)

    def _servers(
        self, states: States, wishes: Mapping[str, Wanted], *, closes: bool
    ) -> dict[str, ServerView]:
        """Return what the view says of servers: of those that are as the description has them,
        nothing."""
        seen = {
            name: self._seen(record, wishes.get(name, NOTHING_WANTED), closes=closes)
            for name, record in states.servers.items()
        }
        return {name: one for name, one in seen.items() if one != _PLAIN}

    def _able(self, states: States, seen: Mapping[str, ServerView]) -> dict[str, ServerView]:
        """Return what servers are able to carry: one whose weight is lowered for its load has as
        much room as before, and so has its site."""
        able = {
            name: ServerView(one.state, weight(states.servers[name], self.rules.states))
            for name, one in seen.items()
        }
        return {name: one for name, one in able.items() if one != _PLAIN}

    def _seen(self, record: ServerRecord, wanted: Wanted, *, closes: bool) -> ServerView:
        """Return what the view says of one. The weight of what is out is of no matter, and stays
        what it is without a view."""
        state = ServerState.FULL if closes and record.shut else _SEEN[record.state]
        cause = _cause(record, wanted)
        until = wanted.until if cause is Cause.ORDERED else None
        if state is ServerState.FAILED:
            return ServerView(state, cause=cause, until=until)
        return ServerView(state, offered(record, self.rules.states), cause, until)


def _frozen(memory: Memory, view: View, wishes: Mapping[str, Wanted]) -> tuple[WireView, View]:
    """Return what is kept while the view is frozen, and the view that comes of it."""
    kept = wire_of(to_keep(view, wishes)) if memory.kept is None else memory.kept
    return kept, replace(frozen_view(view_of(kept), wishes), network=view.network)


def _cause(record: ServerRecord, wanted: Wanted) -> Cause:
    if record.state is State.WITHDRAWN:
        return Cause.ORDERED
    if record.state is not State.DRAINING:
        return Cause.OBSERVED
    if wanted.wish is Wish.DRAINING:
        return Cause.ORDERED
    return Cause.AWAY if Why.VIPS_AWAY in record.reasons else Cause.OBSERVED
