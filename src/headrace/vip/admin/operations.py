"""The operations of the admin API that a process which announces adds to those of every role."""

from __future__ import annotations

import asyncio

import msgspec

from headrace.node.admin.operations import NoRequest, Operation, Operations
from headrace.node.admin.problem import ProblemError
from headrace.node.admin.worker_answers import ask_worker
from headrace.node.running import Node
from headrace.vip.admin.models import (
    CoverageRequest,
    Done,
    DrainRequest,
    EventList,
    EventsRequest,
    Explained,
    ExplainRequest,
    ReturnRequest,
    Status,
)
from headrace.vip.admin.questions import (
    Answer,
    AskCoverage,
    AskEvents,
    AskExplain,
    AskStatus,
    DecideCoverage,
    GiveDrain,
    GiveReturn,
    Question,
)
from headrace.vip.learn.history import Entry
from headrace.vip.learn.status import LearningStatus

WRITTEN_S = 0.3
"""A disk takes a small file in less, or says that it cannot."""


class Handlers:
    """One method for each operation."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def status(self, _asked: NoRequest) -> Status:
        """Return the whole table."""
        found = (await self._ask(AskStatus())).status
        assert found is not None
        return found

    async def explain(self, asked: ExplainRequest) -> Explained:
        """Return the reasons of a VIP."""
        found = (await self._ask(AskExplain(asked.vip))).explained
        assert found is not None
        return found

    async def events(self, asked: EventsRequest) -> EventList:
        """Return the last events."""
        found = (await self._ask(AskEvents(asked))).events
        assert found is not None
        return found

    async def drain(self, asked: DrainRequest) -> Done:
        """Leave."""
        return await self._give(GiveDrain(asked))

    async def back(self, asked: ReturnRequest) -> Done:
        """Serve again."""
        return await self._give(GiveReturn(asked.by))

    async def coverage(self, _asked: NoRequest) -> LearningStatus:
        """Return what is learnt."""
        found = (await self._ask(AskCoverage())).coverage
        assert found is not None
        return found

    async def approve(self, asked: CoverageRequest) -> Entry:
        """Take a change that waits."""
        return await self._decide(DecideCoverage(asked, approve=True))

    async def reject(self, asked: CoverageRequest) -> Entry:
        """Leave a change that waits."""
        return await self._decide(DecideCoverage(asked, approve=False))

    async def _decide(self, decision: DecideCoverage) -> Entry:
        found = (await self._ask(decision)).decided
        assert found is not None
        return found

    async def _give(self, order: Question) -> Done:
        done = (await self._ask(order)).done
        assert done is not None
        # It is in force, and written meanwhile: who gives it is to hear when that fails.
        await asyncio.sleep(WRITTEN_S)
        try:
            found = await self.status(NoRequest())
        except ProblemError:
            return done
        return msgspec.structs.replace(done, state_problem=found.state_problem)

    async def _ask(self, question: Question) -> Answer:
        """Return the worker's answer. Raises ProblemError."""
        return await ask_worker(self._node, question, Answer)


def operations(node: Node) -> Operations:
    """Return the operations, carried out by this node."""
    handlers = Handlers(node)
    return (*_questions(handlers), *_orders(handlers), *_coverage(handlers))


def _coverage(handlers: Handlers) -> Operations:
    return (
        Operation(
            "GET",
            "/vip/coverage",
            "What this server learns of the ISP's clients: in force, heard, waiting, refused.",
            handlers.coverage,
            LearningStatus,
            "The state.",
            refusals=(503,),
        ),
        Operation(
            "POST",
            "/vip/coverage/approve",
            "Take a change of learnt coverage that waits.",
            handlers.approve,
            Entry,
            "It is in force here; nodes have it within seconds.",
            request=CoverageRequest,
            refusals=(409, 503),
        ),
        Operation(
            "POST",
            "/vip/coverage/reject",
            "Leave a change that waits, until what routers announce is another.",
            handlers.reject,
            Entry,
            "It is not taken.",
            request=CoverageRequest,
            refusals=(409, 503),
        ),
    )


def _questions(handlers: Handlers) -> Operations:
    return (
        Operation(
            "GET",
            "/vip/status",
            "VIPs, sessions, neighbours and checks as this server knows them: its plan.",
            handlers.status,
            Status,
            "The state.",
            refusals=(503,),
        ),
        Operation(
            "GET",
            "/vip/explain",
            "Why a VIP is announced from here as it is, or is not.",
            handlers.explain,
            Explained,
            "The reasons.",
            request=ExplainRequest,
            refusals=(404, 503),
        ),
        Operation(
            "GET",
            "/vip/events",
            "What changed since the start and why, the newest first.",
            handlers.events,
            EventList,
            "The events.",
            request=EventsRequest,
            refusals=(503,),
        ),
    )


def _orders(handlers: Handlers) -> Operations:
    return (
        Operation(
            "POST",
            "/vip/drain",
            "Leave: first without new clients, then worse than the neighbours, then withdrawn.",
            handlers.drain,
            Done,
            "The order is in force, and kept over restarts.",
            request=DrainRequest,
            refusals=(503,),
        ),
        Operation(
            "POST",
            "/vip/return",
            "Serve again: take the order to leave back.",
            handlers.back,
            Done,
            "The order is in force. Description and loop may want otherwise.",
            request=ReturnRequest,
            refusals=(503,),
        ),
    )
