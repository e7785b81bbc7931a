"""One step of version 1: from what was known and what is observed to what is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.feedback.observation import Observations
from headrace.feedback.orders import Orders
from headrace.feedback.states.hints import hinted_servers
from headrace.feedback.states.model import (
    Alarm,
    AlarmKind,
    Change,
    ServerRecord,
    State,
    States,
    Why,
)
from headrace.feedback.states.quorum import Panel, choose_panel, evidence, judge
from headrace.feedback.states.ramp import next_ramp
from headrace.feedback.states.rules import StateRules
from headrace.feedback.states.signals import Evidenced, Finding, collect, find
from headrace.feedback.states.table import TABLE, Signal
from headrace.feedback.states.wanted import NOTHING_WANTED, wanted
from headrace.topology.model import Topology


@dataclass(frozen=True, slots=True)
class StateStep:
    """What a step came to: the states, what changed, what cannot be settled, and by server and
    panel why."""

    states: States
    changes: tuple[Change, ...]
    alarms: tuple[Alarm, ...]
    panel: Panel
    evidenced: Mapping[str, Evidenced]
    findings: Mapping[str, Finding]


def step(
    before: States,
    observations: Observations,
    topology: Topology,
    rules: StateRules,
    now: float,
    elapsed_s: float,
    orders: Orders,
) -> StateStep:
    """Return the states that follow, `elapsed_s` after the step that `before` came of.

    `now` is Unix time, for what operators have said; observations and states know ages alone.
    """
    elapsed_s = max(0.0, elapsed_s)
    wishes = wanted(topology, orders, now)
    records = {one.name: _known(before, one.name, rules) for one in topology.servers}
    probed = [
        one.name for one in topology.servers if records[one.name].state is not State.WITHDRAWN
    ]
    panel = choose_panel(observations.observers, probed, rules)
    hinted = hinted_servers(observations.reports, rules)
    held = Why.FEW_OBSERVERS if panel.few else None
    servers: dict[str, ServerRecord] = {}
    changes: list[Change] = []
    evidenced: dict[str, Evidenced] = {}
    findings: dict[str, Finding] = {}
    for server in topology.servers:
        name = server.name
        one = evidenced[name] = collect(
            server,
            records[name],
            judge(panel, observations.observers, name, name in hinted, rules),
            wishes.get(name, NOTHING_WANTED),
            observations.reports,
            name in hinted,
            held,
            elapsed_s,
            rules,
        )
        found = findings[name] = find(one, elapsed_s, rules)
        after = servers[name] = _next(one, found, elapsed_s, rules)
        if after.state is not one.record.state:
            seen = evidence(panel, observations.observers, name, rules)
            changes.append(
                Change(
                    now,
                    name,
                    server.site,
                    one.record.state,
                    after.state,
                    found.reasons,
                    seen,
                    one.wanted.note,
                )
            )
    return StateStep(
        States(servers, before.steps + 1),
        tuple(changes),
        _alarms(panel),
        panel,
        evidenced,
        findings,
    )


def _known(before: States, name: str, rules: StateRules) -> ServerRecord:
    """Return what is known of a server. One that is new in a running network returns slowly."""
    record = before.servers.get(name)
    if record is not None:
        return record
    if before.steps == 0 or not rules.ramp_new:
        return ServerRecord()
    return ServerRecord(State.RECOVERING, reasons=(Why.NEW,), ramp=0.0)


def _next(one: Evidenced, found: Finding, elapsed_s: float, rules: StateRules) -> ServerRecord:
    record = one.record
    after = TABLE[record.state, found.signal]
    changed = after is not record.state
    ramp = record.ramp
    if after is State.ONLINE:
        ramp = 1.0
    elif after is State.RECOVERING:
        if record.state in {State.FAILED, State.DRAINING, State.WITHDRAWN}:
            ramp = 0.0
        elif found.signal is Signal.UP and not changed:
            ramp = next_ramp(ramp, elapsed_s, rules)
    elif after is State.FAILED:
        ramp = 0.0
    return ServerRecord(
        after,
        0.0 if changed else record.for_s + elapsed_s,
        found.reasons[:8],
        ramp,
        record.penalty,
        record.suppressed,
        0.0 if changed else one.load_s,
        record.reports or one.heard is not None,
    )


def _alarms(panel: Panel) -> tuple[Alarm, ...]:
    """Return what is wrong with the observers."""
    alarms = [
        Alarm(AlarmKind.UNSOUND_OBSERVER, name, "it sees most servers fail that others see serve")
        for name in panel.unsound
    ]
    if panel.few:
        alarms.append(Alarm(AlarmKind.FEW_OBSERVERS, "", f"sound are {len(panel.sound)}"))
    return tuple(alarms)
