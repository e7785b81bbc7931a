"""Why a server's state is what it is: the chain from observations to the view. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec

from headrace.feedback.control.controller import Controller, Step
from headrace.feedback.observation import Observations, ProbeRecord
from headrace.feedback.orders import Wish
from headrace.feedback.states.model import State, Why
from headrace.feedback.states.quorum import Panel, why_down
from headrace.feedback.states.ramp import offered
from headrace.feedback.states.rules import StateRules
from headrace.feedback.states.signals import Evidenced
from headrace.feedback.states.table import Signal
from headrace.topology.view import ServerView, View


class Vote(msgspec.Struct, frozen=True):
    """What one configured observer said of a server. `standing` is `sound`, `unsound`, `blind` or
    `silent`: only the sound ones are heard. `down` is why it takes the server for failed.
    """

    observer: str
    standing: str
    probe: ProbeRecord | None
    age_s: float | None
    down: Why | None


class ServerWhy(msgspec.Struct, frozen=True):
    """The whole chain of one server: votes, what a quorum comes to, what else speaks for or against
    it, the signal, the state, the view.
    """

    server: str
    site: str
    state: State
    for_s: float
    signal: Signal
    reasons: tuple[Why, ...]
    votes: tuple[Vote, ...]
    quorum: int
    down: bool
    held: Why | None
    wanted: Wish
    wanted_by: Why
    note: str
    until: float | None
    penalty: float
    suppressed: bool
    ramp: float
    weight: float
    used: float | None
    vips_away_s: float | None
    view_state: str
    view_weight: float


def why(
    controller: Controller,
    step: Step,
    observations: Observations,
    server: str,
    published: View | None = None,
) -> ServerWhy | None:
    """Return why a server is as it is after a step from these observations; None: no such server.
    `published` is the view in force, None: the step's.
    """
    states, rules = step.explanation.states, controller.rules.states
    one = states.evidenced.get(server)
    if one is None:
        return None
    found, record = states.findings[server], states.states.servers[server]
    seen = (step.view if published is None else published).servers.get(server, ServerView())
    return ServerWhy(
        server,
        one.server.site,
        record.state,
        record.for_s,
        found.signal,
        found.reasons,
        tuple(_votes(states.panel, observations, one, rules)),
        states.panel.votes,
        one.verdict.down,
        one.held if one.verdict.down else None,
        one.wanted.wish,
        one.wanted.by,
        one.wanted.note,
        one.wanted.until,
        record.penalty,
        record.suppressed,
        record.ramp,
        offered(record, rules),
        one.used,
        None if one.vips is None or one.vips.age_s > rules.vips_age_s else one.vips.away_s,
        seen.state.value,
        seen.weight,
    )


def lines(one: ServerWhy) -> Iterator[str]:
    """Yield the chain as sentences, from observations to the view."""
    for vote in one.votes:
        yield _of_vote(vote)
    yield _of_quorum(one)
    if one.used is not None:
        yield f"its report says that it sends {one.used:.0%} of what it can"
    if one.vips_away_s is not None:
        said = f"none of its VIPs, for {one.vips_away_s:.0f} s" if one.vips_away_s else "its VIPs"
        yield f"it says that it announces {said}"
    if one.wanted is not Wish.NONE:
        note = f": {one.note}" if one.note else ""
        until = "" if one.until is None else f" until {utc(one.until)}"
        yield f"{one.wanted_by} wants it {one.wanted}{until}{note}"
    if one.penalty >= 1.0:
        kept = "kept out until that is forgotten" if one.suppressed else "not enough to keep it out"
        yield f"its flaps left a penalty of {one.penalty:.0f}: {kept}"
    reasons = ", ".join(one.reasons) or "none"
    yield f"that comes to {one.signal} (reasons: {reasons}), so it is {one.state}"
    yield f"it has been {one.state} for {one.for_s:.0f} s; its weight is {one.weight:g}"
    share = "" if one.view_state == "failed" else f", with weight {one.view_weight:g}"
    yield f"the view has it {one.view_state}{share}"


def utc(at: float) -> str:
    """Return a Unix time in words: `2026-11-26T08:13:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _votes(
    panel: Panel, observations: Observations, one: Evidenced, rules: StateRules
) -> Iterator[Vote]:
    for names, standing in (
        (panel.sound, "sound"),
        (panel.unsound, "unsound"),
        (panel.blind, "blind"),
        (panel.silent, "silent"),
    ):
        for name in names:
            observer = observations.observers.get(name)
            probe = None if observer is None else observer.probes.get(one.server.name)
            if observer is None or probe is None:
                yield Vote(name, standing, None, None, None)
                continue
            age_s = probe.age_s + observer.age_s
            more = rules.alone if panel.alone else 0
            old = age_s > rules.probe_age_s
            down = None if old else why_down(probe, more, one.hinted, rules)
            yield Vote(name, standing, probe, age_s, down)


def _of_vote(vote: Vote) -> str:
    heard = "" if vote.standing == "sound" else f" ({vote.standing}: not heard)"
    if vote.probe is None:
        return f"observer {vote.observer}{heard} has not probed it"
    probe = vote.probe
    row = f"{probe.failures} failed" if probe.failures else f"{probe.successes} good"
    ended = f"{probe.outcome} {vote.age_s:.1f} s ago, {row} in a row"
    said = f"failed: {vote.down}" if vote.down is not None else "not failed"
    return f"observer {vote.observer}{heard}: {ended}; {said}"


def _of_quorum(one: ServerWhy) -> str:
    if not one.down:
        return f"no quorum ({one.quorum}) takes it for failed"
    if one.held is None:
        return f"a quorum ({one.quorum}) takes it for failed"
    return f"a quorum ({one.quorum}) takes it for failed, which is not believed: {one.held}"
