"""Which signal the evidence of one server comes to: the order of `table`'s docstring. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.feedback.observation import NodeReport, Observations, VipsHeard
from headrace.feedback.orders import Wish
from headrace.feedback.states.load import is_fresh, next_load_s, utilisation
from headrace.feedback.states.model import ServerRecord, State, Why
from headrace.feedback.states.quorum import Verdict
from headrace.feedback.states.ramp import next_ramp
from headrace.feedback.states.rules import StateRules
from headrace.feedback.states.table import Signal
from headrace.feedback.states.wanted import Wanted
from headrace.topology.model import Server

_UNBELIEVABLE = frozenset({Why.MASS_FAILURE, Why.FEW_OBSERVERS})


@dataclass(frozen=True, slots=True)
class Evidenced:
    """All that one step has of one server.

    `held` says what forbids to take it out, though a quorum sees it fail (None: nothing), `lost`
    that its site is gone; `used` is the share of its capacity that it sends; `vips` is what it says
    of its VIPs (None: nothing).
    """

    server: Server
    record: ServerRecord
    verdict: Verdict
    wanted: Wanted
    heard: NodeReport | None
    hinted: bool
    held: Why | None
    lost: bool
    used: float | None
    load_s: float
    vips: VipsHeard | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The signal of a server and its reasons."""

    signal: Signal
    reasons: tuple[Why, ...]


def collect(
    server: Server,
    record: ServerRecord,
    verdict: Verdict,
    wanted: Wanted,
    observations: Observations,
    hinted: bool,
    held: Why | None,
    lost: bool,
    elapsed_s: float,
    rules: StateRules,
) -> Evidenced:
    """Return the evidence of a server."""
    heard = observations.reports.get(server.name)
    used = utilisation(server, heard, rules)
    load_s = next_load_s(record, record.state is State.FULL, used, elapsed_s, rules)
    vips = observations.vips.get(server.name)
    return Evidenced(server, record, verdict, wanted, heard, hinted, held, lost, used, load_s, vips)


def find(one: Evidenced, elapsed_s: float, rules: StateRules) -> Finding:
    """Return the signal of a server: the first that applies."""
    wish, verdict = one.wanted.wish, one.verdict
    if wish is Wish.WITHDRAWN:
        return Finding(Signal.WITHDRAW, (one.wanted.by,))
    if wish is Wish.ONLINE:
        return Finding(Signal.PIN, (one.wanted.by,))
    if verdict.down and one.held is None:
        lost = (Why.SITE_LOST,) if one.lost else ()
        return Finding(Signal.DOWN, (*lost, *verdict.reasons))
    if wish is Wish.DRAINING:
        return Finding(Signal.DRAIN, (one.wanted.by,))
    report = _fresh_report(one, rules)
    if report is not None and report.report.draining:
        return Finding(Signal.DRAIN, (Why.NODE_DRAINS,))
    if is_away(one.vips, rules):
        return Finding(Signal.DRAIN, (Why.VIPS_AWAY,))
    if _is_over(one, rules):
        return Finding(Signal.OVER, (Why.OVER_CAPACITY,))
    return _by_probes(one, elapsed_s, rules)


def is_away(heard: VipsHeard | None, rules: StateRules) -> bool:
    """Return whether a server announces none of its VIPs: whoever is sent to it comes to others."""
    return (
        heard is not None and heard.age_s <= rules.vips_age_s and heard.away_s >= rules.vips_away_s
    )


def _by_probes(one: Evidenced, elapsed_s: float, rules: StateRules) -> Finding:
    verdict, record = one.verdict, one.record
    if one.held in _UNBELIEVABLE and (verdict.down or verdict.failures) and one.held is not None:
        signal = Signal.DOUBT if _was_believed(one, rules) else Signal.DISTRUST
        return Finding(signal, (one.held, *verdict.reasons))
    if verdict.down:
        return Finding(Signal.DOUBT, (*((one.held,) if one.held else ()), *verdict.reasons))
    if not verdict.seen:
        return Finding(Signal.UNSEEN, (Why.NO_QUORUM,))
    if verdict.successes < _needed(record.state, rules):
        return Finding(Signal.DOUBT, verdict.reasons or (Why.NO_QUORUM,))
    doubts = _doubts(one, rules)
    if doubts:
        return Finding(Signal.DOUBT, doubts)
    if record.suppressed:
        return Finding(Signal.DAMPED, (Why.DAMPED,))
    if record.state in {State.ONLINE, State.SUSPECT, State.FULL} and record.ramp >= 1.0:
        report = _fresh_report(one, rules)
        # Only here: it keeps nobody from returning. A whole site may be so at once.
        if report is not None and report.report.impaired:
            return Finding(Signal.DOUBT, (Why.IMPAIRED,))
        return Finding(Signal.WARM, (Why.SERVES,))
    if record.state is State.RECOVERING and next_ramp(record.ramp, elapsed_s, rules) >= 1.0:
        return Finding(Signal.WARM, (Why.RAMPED,))
    return Finding(Signal.UP, (Why.SERVES,))


def _was_believed(one: Evidenced, rules: StateRules) -> bool:
    """Return whether a server failed before what makes such failures unbelievable now."""
    if one.record.state is not State.FAILED:
        return False
    return one.held is not Why.MASS_FAILURE or one.record.for_s > rules.mass_undo_s


def _needed(state: State, rules: StateRules) -> int:
    """Return how many good probes in a row show that a server in a state serves."""
    if state is State.FAILED:
        return rules.successes
    return rules.clear if state is State.SUSPECT else 1


def _doubts(one: Evidenced, rules: StateRules) -> tuple[Why, ...]:
    """Return what speaks against a server that answers its probes."""
    doubts = []
    report, silent_s = _fresh_report(one, rules), one.record.silent_s
    if report is not None and not report.report.ready:
        doubts.append(Why.NOT_READY)
    if report is None and silent_s is not None and silent_s >= rules.report_age_s:
        doubts.append(Why.NO_REPORT)
    if one.hinted:
        doubts.append(Why.OTHERS_FAIL)
    return tuple(doubts)


def _fresh_report(one: Evidenced, rules: StateRules) -> NodeReport | None:
    return one.heard if is_fresh(one.heard, rules) else None


def _is_over(one: Evidenced, rules: StateRules) -> bool:
    if one.record.state is State.FULL:
        return one.load_s < rules.full_release_s
    return one.load_s >= rules.full_after_s and one.used is not None
