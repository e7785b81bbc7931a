"""One step of version 1: from what was known and what is observed to what is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from headrace.damping import Flaps, decayed, flapped, unflapped
from headrace.feedback.observation import Observations
from headrace.feedback.orders import Orders, Wish
from headrace.feedback.states.floors import find_floors
from headrace.feedback.states.groups import Groups
from headrace.feedback.states.hints import hinted_servers
from headrace.feedback.states.load import is_busy, is_fresh
from headrace.feedback.states.mass import find_mass
from headrace.feedback.states.model import (
    MOST_REASONS,
    MOST_STEPS,
    SERVING,
    Alarm,
    AlarmKind,
    Change,
    ServerRecord,
    State,
    States,
    Why,
)
from headrace.feedback.states.quorum import Panel, Verdict, choose_panel, evidence, judge
from headrace.feedback.states.ramp import next_ramp
from headrace.feedback.states.relief import relieve
from headrace.feedback.states.rules import StateRules
from headrace.feedback.states.signals import Evidenced, Finding, collect, find
from headrace.feedback.states.site_relief import relieve_sites
from headrace.feedback.states.table import TABLE, Signal
from headrace.feedback.states.wanted import NOTHING_WANTED, Wanted, wanted
from headrace.topology.model import Server


@dataclass(frozen=True, slots=True)
class StateStep:
    """What a step came to: the states, what changed, what cannot be settled, and by server and
    panel why."""

    states: States
    changes: tuple[Change, ...]
    alarms: tuple[Alarm, ...]
    panel: Panel
    wishes: Mapping[str, Wanted]
    evidenced: Mapping[str, Evidenced]
    findings: Mapping[str, Finding]


@dataclass(frozen=True, slots=True)
class _Holds:
    """What forbids to believe that servers failed, by server; sites that are gone; damped servers
    that are needed."""

    held: Mapping[str, Why]
    lost: frozenset[str]
    needed: frozenset[str]
    alarms: tuple[Alarm, ...]


def step(
    before: States,
    observations: Observations,
    groups: Groups,
    rules: StateRules,
    now: float,
    elapsed_s: float,
    orders: Orders,
) -> StateStep:
    """Return the states that follow, `elapsed_s` after the step that `before` came of.

    `now` is Unix time, for what operators have said; observations and states know ages alone.
    """
    servers = groups.topology.servers
    wishes = wanted(groups.topology, orders, now)
    hinted = hinted_servers(observations.reports, rules)
    records = {one.name: _known(before, one.name, elapsed_s, rules) for one in servers}
    probed = [name for name, record in records.items() if record.state is not State.WITHDRAWN]
    panel = choose_panel(observations.observers, probed, rules)
    verdicts = {
        one.name: _judge(panel, observations, one, one.name in hinted, rules) for one in servers
    }
    holds = _hold(groups, records, verdicts, panel, wishes, rules)
    evidenced = {
        server.name: collect(
            server,
            _released(records[server.name], server.name in holds.needed),
            verdicts[server.name],
            wishes.get(server.name, NOTHING_WANTED),
            observations,
            server.name in hinted,
            holds.held.get(server.name),
            server.site in holds.lost,
            elapsed_s,
            rules,
        )
        for server in servers
    }
    findings = {name: find(one, elapsed_s, rules) for name, one in evidenced.items()}
    after = {name: _next(one, findings[name], elapsed_s, rules) for name, one in evidenced.items()}
    after = relieve(after, evidenced, findings, elapsed_s, rules)
    sites = relieve_sites(before.sites, after, evidenced, groups, elapsed_s, rules)
    changes = tuple(
        _change(one, findings[name], after[name].state, panel, observations, rules, now)
        for name, one in evidenced.items()
        if after[name].state is not one.record.state
    )
    few_s = min(before.few_s + elapsed_s, 1e9) if panel.few else 0.0
    return StateStep(
        States(after, min(before.steps + 1, MOST_STEPS), few_s, sites),
        changes,
        (*_observers_alarms(panel, few_s, rules), *holds.alarms),
        panel,
        wishes,
        evidenced,
        findings,
    )


def _known(before: States, name: str, elapsed_s: float, rules: StateRules) -> ServerRecord:
    """Return what is known of a server. One that is new in a running network returns slowly."""
    record = before.servers.get(name)
    if record is None:
        if before.steps == 0 or not rules.ramp_new:
            return ServerRecord()
        return ServerRecord(State.RECOVERING, reasons=(Why.NEW,), ramp=0.0)
    if not record.penalty and not record.suppressed:
        return record
    flaps = decayed(Flaps(record.penalty, record.suppressed), elapsed_s, rules)
    return msgspec.structs.replace(record, penalty=flaps.penalty, suppressed=flaps.suppressed)


def _judge(
    panel: Panel, observations: Observations, server: Server, hinted: bool, rules: StateRules
) -> Verdict:
    """Return what the panel says of a server, in the light of its report: one that is silent for it
    has too much to do is not dead. Floors hold such ones, for their load would go to the next.
    """
    verdict = judge(panel, observations.observers, server.name, hinted, rules)
    if not verdict.dead or verdict.refused:
        return verdict
    if not is_busy(server, observations.reports.get(server.name), rules):
        return verdict
    return replace(verdict, dead=False, reasons=(*verdict.reasons, Why.OVERLOADED))


def _released(record: ServerRecord, is_needed: bool) -> ServerRecord:
    return msgspec.structs.replace(record, suppressed=False) if is_needed else record


def _hold(
    groups: Groups,
    records: Mapping[str, ServerRecord],
    verdicts: Mapping[str, Verdict],
    panel: Panel,
    wishes: Mapping[str, Wanted],
    rules: StateRules,
) -> _Holds:
    """Return what is not to be believed."""
    if panel.few:
        held = dict.fromkeys(records, Why.FEW_OBSERVERS)
        return _Holds(held, frozenset(), frozenset(), ())
    wished = (name for name, one in wishes.items() if one.wish in {Wish.WITHDRAWN, Wish.DRAINING})
    # What drained before it failed was taken away by somebody, at the server itself.
    leaving = frozenset((*wished, *(name for name, one in records.items() if one.left)))
    pinned = frozenset(name for name, one in wishes.items() if one.wish is Wish.ONLINE)
    mass = find_mass(groups, records, verdicts, leaving, rules)
    floors = find_floors(groups, records, verdicts, mass.held, leaving, pinned, rules)
    return _Holds(
        {**mass.held, **floors.held}, mass.lost, floors.needed, (*mass.alarms, *floors.alarms)
    )


def _next(one: Evidenced, found: Finding, elapsed_s: float, rules: StateRules) -> ServerRecord:
    record = one.record
    after = TABLE[record.state, found.signal]
    changed = after is not record.state
    flaps = _flaps(record, after, found.signal, rules)
    return ServerRecord(
        after,
        0.0 if changed else min(record.for_s + elapsed_s, 1e9),
        found.reasons[:MOST_REASONS],
        _ramp(record, after, found.signal, elapsed_s, rules),
        flaps.penalty,
        flaps.suppressed,
        0.0 if changed else min(one.load_s, 1e9),
        _silent_s(one, elapsed_s, rules),
        left=after is State.FAILED and _had_left(record),
    )


def _had_left(record: ServerRecord) -> bool:
    if record.state is State.FAILED:
        return record.left
    return record.state in {State.DRAINING, State.WITHDRAWN}


def _silent_s(one: Evidenced, elapsed_s: float, rules: StateRules) -> float | None:
    if is_fresh(one.heard, rules):
        return 0.0
    before_s = one.record.silent_s
    return None if before_s is None else min(before_s + elapsed_s, 1e9)


def _flaps(record: ServerRecord, after: State, signal: Signal, rules: StateRules) -> Flaps:
    """Return a server's flaps: what an operator withdrew or pinned begins again without."""
    if after is State.WITHDRAWN or signal is Signal.PIN:
        return Flaps()
    flaps = Flaps(record.penalty, record.suppressed)
    if after is State.FAILED and record.state in SERVING:
        return flapped(flaps, rules)
    if signal is Signal.DISTRUST and record.state is State.FAILED:
        return unflapped(flaps, rules)
    return flaps


def _ramp(
    record: ServerRecord, after: State, signal: Signal, elapsed_s: float, rules: StateRules
) -> float:
    """Return how far a server has returned: paused while anything speaks against it."""
    if after is State.ONLINE:
        return 1.0
    if after is State.RECOVERING:
        if record.state in {State.FAILED, State.DRAINING, State.WITHDRAWN}:
            return 0.0
        if signal is Signal.UP and record.state is State.RECOVERING:
            return next_ramp(record.ramp, elapsed_s, rules)
    return record.ramp


def _change(
    one: Evidenced,
    found: Finding,
    after: State,
    panel: Panel,
    observations: Observations,
    rules: StateRules,
    now: float,
) -> Change:
    server = one.server
    seen = evidence(panel, observations.observers, server.name, rules)
    reasons = found.reasons[:MOST_REASONS]
    return Change(
        now, server.name, server.site, one.record.state, after, reasons, seen, one.wanted.note
    )


def _observers_alarms(panel: Panel, few_s: float, rules: StateRules) -> tuple[Alarm, ...]:
    """Return what is wrong with the observers. Those that have just begun have seen nothing yet."""
    alarms = [
        Alarm(AlarmKind.UNSOUND_OBSERVER, name, "it sees most servers fail that others see serve")
        for name in panel.unsound
    ]
    if few_s > rules.observer_age_s:
        heard = f"{len(panel.sound)} of {len(set(rules.observers))} observers"
        text = f"only {heard} can be believed: no server is taken out"
        alarms.append(Alarm(AlarmKind.FEW_OBSERVERS, "", text))
    return tuple(alarms)
