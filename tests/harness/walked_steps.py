"""Notes which of `steps`' transitions requests take, by looking over the shoulder of the code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from headrace.edge.context import WorkerContext
from headrace.edge.hot import HotEntry
from headrace.edge.request import walk as walk_module
from headrace.edge.request.accounting import Accounting
from headrace.edge.request.handler import EdgeHandler
from headrace.edge.request.response import Response
from headrace.edge.request.steps import NEXT, Step
from headrace.edge.service.resource import Resource
from headrace.http.parser import RequestHead
from headrace.http.server.exchange import Exchange

Transition = tuple[Step, Step]


class WatchedHandler(EdgeHandler):
    """Notes which steps requests take before `walk`."""

    def __init__(self, edge: WorkerContext, accounting: Accounting, walked: set[Transition]):
        super().__init__(edge, accounting)
        self.walked = walked
        self._at = Step.RECEIVE

    def handle(self, exchange: Exchange) -> None:
        self._at = Step.RECEIVE
        super().handle(exchange)
        answer = exchange.context
        if isinstance(answer, Response) and isinstance(answer.task, asyncio.Task):
            work = getattr(answer.task.get_coro(), "__name__", "")
            self._comes_to({"_serve": Step.LOOKUP, "_pass": Step.PASS}[work])
        elif exchange.status and self._at is Step.RECEIVE:
            self._comes_to(Step.SYNTH, Step.DONE)

    def send_hot(self, exchange: Exchange, head: RequestHead, entry: HotEntry) -> bool:
        sent = super().send_hot(exchange, head, entry)
        self._comes_to(Step.HOT, *([Step.DONE] if sent else []))
        return sent

    def send_stored(self, exchange: Exchange, head: RequestHead, resource: Resource) -> bool:
        sent = super().send_stored(exchange, head, resource)
        if sent:
            self._comes_to(Step.HOT, Step.DONE)
        return sent

    def _comes_to(self, *steps: Step) -> None:
        for step in steps:
            if self._at is not step:
                self.walked.add((self._at, step))
                self._at = step


class _WatchedNext(dict[Step, frozenset[Step]]):
    """`NEXT`, which notes what is looked up: each transition of `walk`."""

    def __init__(self, walked: set[Transition]) -> None:
        super().__init__(
            (step, cast("Any", _WatchedFollowing(step, following, walked)))
            for step, following in NEXT.items()
        )


class _WatchedFollowing(frozenset[Step]):
    def __new__(
        cls, _step: Step, following: frozenset[Step], _walked: set[Transition]
    ) -> _WatchedFollowing:
        return super().__new__(cls, following)

    def __init__(self, step: Step, _following: frozenset[Step], walked: set[Transition]) -> None:
        self._step = step
        self._walked = walked

    def __contains__(self, following: object) -> bool:
        there = super().__contains__(following)
        if there:
            self._walked.add((self._step, cast("Step", following)))
        return there


@contextmanager
def watched_lookups(walked: set[Transition]) -> Iterator[None]:
    """Add the transitions of `walk` to `walked` meanwhile."""
    vars(walk_module)["NEXT"] = _WatchedNext(walked)
    try:
        yield
    finally:
        vars(walk_module)["NEXT"] = NEXT
