"""The life of a request: every step it may take, and which steps may follow.

The table is what the request path runs by (`Lookup.run` refuses a step that is not in it), what
the picture in the docs is drawn from, and what tests walk through. A plain hit takes HOT alone. A
small miss that goes `straight` takes LOOKUP, FILL and DELIVER in one, unless a fill takes it over:
then it begins with LOOKUP.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Step(enum.Enum):
    """Where a request stands."""

    __hash__ = object.__hash__  # an enum's own is in Python, and called 16 times for a miss

    RECEIVE = "receive"
    HOT = "hot"
    LOOKUP = "lookup"
    RENEW = "renew"
    FILL = "fill"
    HEAD = "head"
    PASS = "pass"
    DELIVER = "deliver"
    SYNTH = "synth"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Row:
    """One step: what happens there, the module and function that do it, and what may follow."""

    step: Step
    does: str
    where: str
    next: tuple[Step, ...]


STEPS: tuple[Row, ...] = (
    Row(
        Step.RECEIVE,
        "find the resource; refuse what cannot be served",
        "edge.request.handler.EdgeHandler.handle",
        (Step.HOT, Step.LOOKUP, Step.PASS, Step.SYNTH),
    ),
    Row(
        Step.HOT,
        "send a prepared answer at once, without a task",
        "edge.request.hot_hits.HotHits.send_hot",
        (Step.DONE, Step.LOOKUP),
    ),
    Row(
        Step.LOOKUP,
        "ask the store, and decide whether what is there may be used",
        "edge.request.lookup.Lookup._look_up",
        (Step.DELIVER, Step.RENEW, Step.FILL, Step.HEAD, Step.PASS, Step.SYNTH),
    ),
    Row(
        Step.RENEW,
        "begin a validation in the background",
        "edge.request.lookup.Lookup._renew",
        (Step.DELIVER, Step.PASS),
    ),
    Row(
        Step.FILL,
        "join or begin a fill, and wait for what comes of it",
        "edge.request.lookup.Lookup._fill",
        (Step.DELIVER, Step.PASS, Step.SYNTH, Step.LOOKUP),
    ),
    Row(
        Step.HEAD,
        "ask the origin with HEAD, and learn about what is stored",
        "edge.request.lookup.Lookup._head",
        (Step.PASS, Step.DELIVER, Step.SYNTH),
    ),
    Row(
        Step.PASS,
        "pass the origin's own answer on, or fetch one for this client alone",
        "edge.request.passthrough.pass_response",
        (Step.DONE, Step.SYNTH, Step.LOOKUP),
    ),
    Row(
        Step.DELIVER,
        "send a stored response, slice by slice",
        "edge.request.deliver.Delivery.send",
        (Step.DONE, Step.LOOKUP, Step.PASS),
    ),
    Row(
        Step.SYNTH,
        "answer with an error of the edge's own",
        "edge.request.response.Response.error",
        (Step.DONE,),
    ),
    Row(
        Step.DONE,
        "count it and write the log line",
        "edge.request.accounting.Accounting.finished",
        (),
    ),
)

NEXT: dict[Step, frozenset[Step]] = {row.step: frozenset(row.next) for row in STEPS}
"""Which steps may follow each."""

TROUBLE = frozenset((Step.LOOKUP, Step.RENEW, Step.FILL, Step.HEAD, Step.DELIVER))
"""Steps after which a store in trouble leads to PASS, as long as nothing was sent."""
