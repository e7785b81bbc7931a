"""What the supervisor asks its worker, and the worker's answers."""

from __future__ import annotations

import time
from ipaddress import ip_address

import msgspec

from headrace.node.admin.worker_answers import MayFail, Trouble
from headrace.topology.model import AdminState
from headrace.vip.admin.models import (
    CoverageRequest,
    Done,
    DrainRequest,
    EventList,
    EventRow,
    EventsRequest,
    Explained,
    OrderRow,
    Status,
)
from headrace.vip.admin.status import explain, ordered, status
from headrace.vip.announcing import Announcing
from headrace.vip.events import meant_by
from headrace.vip.learn.history import Entry
from headrace.vip.learn.learner import NotProposedError
from headrace.vip.learn.running import RunningLearning
from headrace.vip.learn.status import LearningStatus
from headrace.vip.plan.order import SiteOrder
from headrace.vip.plan.wanted import Order

MOST_NAMED = 10


class AskBeat(msgspec.Struct, tag="beat"):
    """Answer with who you are, and how old the last plan is."""


class AskStatus(msgspec.Struct, tag="status"):
    """Answer with the status."""


class AskCounts(msgspec.Struct, tag="counts"):
    """Answer with the counts."""


class AskExplain(msgspec.Struct, tag="explain"):
    """Answer with the reasons of a VIP."""

    vip: str


class AskEvents(msgspec.Struct, tag="events"):
    """Answer with the last events."""

    request: EventsRequest


class GiveDrain(msgspec.Struct, tag="drain"):
    """Leave."""

    order: DrainRequest


class GiveReturn(msgspec.Struct, tag="return"):
    """Serve again."""

    by: str


class AskCoverage(msgspec.Struct, tag="coverage"):
    """Answer with what is learnt."""


class DecideCoverage(msgspec.Struct, tag="decide"):
    """Take a change that waits, or leave it."""

    request: CoverageRequest
    approve: bool


class Beat(msgspec.Struct):
    """The process, and the age of its last plan."""

    pid: int
    plan_age_s: float


class Counts(msgspec.Struct):
    """What the worker counts, beside its requests."""

    sessions: int
    sessions_up: int
    bfd: int
    bfd_up: int
    vips: int
    announced: int
    owned_announced: int
    damped: int
    draining: bool
    out: bool
    checks: dict[str, int]
    checks_unmade: int
    check_last_s: float
    check_slowest_s: float
    late_s: float
    changes: dict[str, int]
    received: int
    dropped: int
    speaker_starts: int
    speaker_problem: bool
    addresses_problem: bool
    not_kept: int
    learnt_prefixes: int
    learnt_waiting: int
    learnt_alarms: int
    learnt_not_taken: int
    handover_on: bool
    handover_passed: int
    handover_taken: int
    handover_over: int
    handover_passed_bytes: int
    handover_taken_bytes: int
    handover_refused: int


class Answer(MayFail):
    """One of these is there, or the trouble."""

    beat: Beat | None = None
    status: Status | None = None
    counts: Counts | None = None
    explained: Explained | None = None
    events: EventList | None = None
    done: Done | None = None
    coverage: LearningStatus | None = None
    decided: Entry | None = None


Question = (
    AskBeat
    | AskStatus
    | AskCounts
    | AskExplain
    | AskEvents
    | GiveDrain
    | GiveReturn
    | AskCoverage
    | DecideCoverage
)
_decoder = msgspec.json.Decoder(Question)


def answer_question(server: Announcing, question: msgspec.Raw, pid: int) -> Answer:
    """Return the answer. Raises msgspec.DecodeError."""
    asked: Question = _decoder.decode(question)
    match asked:
        case AskBeat():
            return Answer(beat=Beat(pid, server.age_s()))
        case AskStatus():
            return Answer(status=status(server))
        case AskCounts():
            return Answer(counts=_counts(server))
        case AskExplain(vip=vip):
            return _explained(server, vip)
        case AskEvents(request=request):
            found = server.events.last(request.limit, _meant(server, request.about))
            rows = [EventRow(one.at, one.kind, one.about, one.detail) for one in found]
            return Answer(events=EventList(rows))
        case GiveDrain(order=order):
            return _drain(server, order)
        case GiveReturn(by=by):
            server.give(None, by)
            return _done(server)
        case AskCoverage():
            return Answer(coverage=server.learning.status())
        case DecideCoverage(request=wish, approve=approve):
            return _decide(server.learning, wish, approve=approve)


def _decide(learning: RunningLearning, asked: CoverageRequest, *, approve: bool) -> Answer:
    decide = learning.approve if approve else learning.reject
    try:
        return Answer(decided=decide(asked.coverage, asked.digest, asked.by))
    except NotProposedError as error:
        return Answer(trouble=Trouble(409, str(error)))


def _meant(server: Announcing, about: str) -> frozenset[str]:
    named = [(one.name, one.address) for one in server.config.routers]
    return meant_by(about, named)


def _explained(server: Announcing, text: str) -> Answer:
    try:
        asked = ip_address(text)
    except ValueError:
        return Answer(trouble=Trouble(404, f"{text!r} is no address: {_vips_of(server.order)}"))
    lines = explain(server, asked)
    if lines is None:
        what = f"{asked} is no VIP of {server.order.site.name}: {_vips_of(server.order)}"
        return Answer(trouble=Trouble(404, what))
    return Answer(explained=Explained(lines))


def _vips_of(order: SiteOrder) -> str:
    vips = sorted(order.vips, key=lambda one: (one.version, int(one)))
    if not vips:
        return "it has none: give one of its [[server]] `vips` in the description"
    named, more = ", ".join(map(str, vips[:MOST_NAMED])), len(vips) - MOST_NAMED
    and_more = f" and {more} more, which `headrace vip status` shows" if more > 0 else ""
    return f"name one of {named}{and_more}"


def _drain(server: Announcing, asked: DrainRequest) -> Answer:
    out = asked.now or asked.force
    until = None if asked.for_s is None else time.time() + asked.for_s
    state = AdminState.WITHDRAWN if out else AdminState.DRAINING
    replaced = ordered(server)
    server.give(Order(state, asked.reason, until, asked.force), asked.by)
    return _done(server, replaced)


def _done(server: Announcing, replaced: OrderRow | None = None) -> Answer:
    wish = server.wish(time.time())
    return Answer(
        done=Done(
            server.phase.value,
            wish.state.value,
            wish.note,
            None if server.own is None else server.own.until,
            replaced,
            server.keeper.problem,
        )
    )


def _counts(server: Announcing) -> Counts:
    said, checks = server.said, server.checker.counts
    announced = [one for one in server.plan.vips if one.announcement is not None]
    phase = server.phase.value
    learnt = server.learning.counts()
    return Counts(
        sessions=len(said.sessions),
        sessions_up=sum(one.up for one in said.sessions.values()),
        bfd=len(said.bfd),
        bfd_up=sum(one.up is True for one in said.bfd.values()),
        vips=len(server.plan.vips),
        announced=len(announced),
        owned_announced=sum(one.rank == 0 for one in announced),
        damped=sum(one.why.value == "damped" for one in server.plan.vips),
        draining=phase in ("lingering", "worse"),
        out=phase == "out",
        checks={found.value: count for found, count in checks.found.items()},
        checks_unmade=checks.unmade,
        check_last_s=checks.last_s,
        check_slowest_s=checks.slowest_s,
        late_s=checks.late_s,
        changes=dict(server.changes),
        received=sum(one.received for one in said.sessions.values()),
        dropped=sum(said.dropped.values()),
        speaker_starts=said.starts,
        speaker_problem=bool(server.speaker_problem),
        addresses_problem=bool(server.bound.problem),
        not_kept=server.keeper.failed,
        learnt_prefixes=learnt.prefixes,
        learnt_waiting=learnt.waiting,
        learnt_alarms=learnt.alarms,
        learnt_not_taken=learnt.not_taken,
        handover_on=server.handover.takes is not None,
        handover_passed=server.handover.passed,
        handover_taken=server.handover.taken,
        handover_over=server.handover.over,
        handover_passed_bytes=server.handover.passed_bytes,
        handover_taken_bytes=server.handover.taken_bytes,
        handover_refused=server.handover.refused,
    )
