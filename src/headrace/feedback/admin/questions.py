"""What the supervisor asks its worker for the admin API, and the worker's answers."""

from __future__ import annotations

import time

import msgspec

from headrace.feedback.admin.models import (
    Because,
    Done,
    DryRun,
    FreezeRequest,
    ModeRequest,
    OrderList,
    Status,
    WishRequest,
)
from headrace.feedback.admin.order_rows import order_list
from headrace.feedback.admin.status import status
from headrace.feedback.admin.why import dry_run, why
from headrace.feedback.loop import FeedbackLoop
from headrace.feedback.orders import (
    Mode,
    OrderError,
    Orders,
    Wish,
    choose_mode,
    freeze,
    wish_server,
    wish_site,
)
from headrace.node.admin.worker_answers import MayFail, Trouble


class AskStatus(msgspec.Struct, tag="status"):
    """Answer with the status."""


class AskWhy(msgspec.Struct, tag="why"):
    """Answer with the reasons of a server or a site."""

    name: str


class AskOrders(msgspec.Struct, tag="orders"):
    """Answer with all orders."""


class AskDryRun(msgspec.Struct, tag="dry_run"):
    """Answer with what the balance comes to."""


class AskCounts(msgspec.Struct, tag="counts"):
    """Answer with the counts."""


class GiveFreeze(msgspec.Struct, tag="freeze"):
    """Stop the automation, or let it run."""

    order: FreezeRequest


class GiveWish(msgspec.Struct, tag="wish"):
    """Take an operator's wish."""

    order: WishRequest


class GiveMode(msgspec.Struct, tag="mode"):
    """Take another mode."""

    order: ModeRequest


class Counts(msgspec.Struct):
    """What the worker counts, beside its requests. Ages in seconds, None: there is none."""

    decides: bool
    frozen: bool
    view: int
    view_age_s: float | None
    lateness_s: float
    states: dict[str, int]
    alarms: int
    observers_heard: int
    observers: int
    probes: dict[str, int]
    probes_unmade: int
    probes_late_s: float
    refused_documents: int
    refused_questions: int
    reports: int
    refused_reports: dict[str, int]
    undelivered: int
    waiting: int


class Answer(MayFail):
    """One of these is there, or the trouble."""

    status: Status | None = None
    because: Because | None = None
    dry_run: DryRun | None = None
    orders: OrderList | None = None
    counts: Counts | None = None
    done: Done | None = None


Question = AskStatus | AskWhy | AskOrders | AskDryRun | AskCounts | GiveFreeze | GiveWish | GiveMode
_decoder = msgspec.json.Decoder(Question)


def answer_question(loop: FeedbackLoop, question: msgspec.Raw) -> Answer:
    """Return the answer. Raises msgspec.DecodeError."""
    asked: Question = _decoder.decode(question)
    match asked:
        case AskStatus():
            return Answer(status=status(loop))
        case AskWhy(name=name):
            found = why(loop, name)
            if found is None:
                return Answer(trouble=_unknown(name))
            return Answer(because=found)
        case AskOrders():
            return Answer(orders=order_list(loop))
        case AskDryRun():
            return Answer(dry_run=dry_run(loop))
        case AskCounts():
            return Answer(counts=_counts(loop))
        case GiveFreeze(order=order):
            made = freeze(
                loop.orders,
                order.frozen,
                now=time.time(),
                reason=order.reason,
                by=order.by,
                observer=loop.config.node_id,
            )
            return _given(loop, made)
        case GiveMode(order=order):
            mode = None if order.mode == "configured" else Mode(order.mode)
            made = choose_mode(
                loop.orders, mode, now=time.time(), by=order.by, observer=loop.config.node_id
            )
            return _given(loop, made)
        case GiveWish(order=wish):
            return _wish(loop, wish)


def _wish(loop: FeedbackLoop, order: WishRequest) -> Answer:
    topology, now = loop.controller.topology, time.time()
    until = None if order.for_s is None else now + order.for_s
    servers = {server.name for server in topology.servers}
    sites = {site.name for site in topology.sites}
    if order.wish == "none":  # also of what the description does not have any more
        servers |= loop.orders.servers.keys() - sites
        sites |= loop.orders.sites.keys()
    take = wish_server if order.name in servers else wish_site
    if order.name not in servers | sites:
        return Answer(trouble=_unknown(order.name))
    try:
        made = take(
            loop.orders,
            order.name,
            Wish(order.wish),
            now=now,
            reason=order.reason,
            by=order.by,
            until=until,
            observer=loop.config.node_id,
        )
    except OrderError as error:
        return Answer(trouble=Trouble(409, str(error)))
    return _given(loop, made)


def _given(loop: FeedbackLoop, orders: Orders) -> Answer:
    loop.give(orders)
    return Answer(done=Done(orders.last_sequence, loop.config.node_id))


def _unknown(name: str) -> Trouble:
    return Trouble(404, f"the network has no server or site {name!r}")


def _counts(loop: FeedbackLoop) -> Counts:
    """Return the counts, from what memory holds: they are asked for again and again."""
    deciding, others = loop.deciding, loop.others
    published = deciding.published
    heard = [
        name
        for name in deciding.order
        if name == deciding.own or (name in others.received and name not in others.problems)
    ]
    return Counts(
        decides=deciding.decides == deciding.own,
        frozen=loop.orders.frozen,
        view=0 if published is None else published.view.version,
        view_age_s=None if published is None else max(0.0, time.time() - published.view.made_at),
        lateness_s=loop.lateness_s,
        states=dict(loop.states()),
        alarms=len(deciding.all_alarms()),
        observers_heard=len(heard),
        observers=len(deciding.order),
        probes=dict(loop.outcomes),
        probes_unmade=loop.prober.unmade,
        probes_late_s=loop.prober.latest_s,
        refused_documents=others.refused.total(),
        refused_questions=loop.telling.unknown,
        reports=0 if loop.puller is None else loop.puller.taken,
        refused_reports={} if loop.puller is None else dict(loop.puller.refused),
        undelivered=loop.undelivered(),
        waiting=len(loop.waiting),
    )
