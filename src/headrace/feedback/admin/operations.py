"""The operations of the admin API that a feedback process adds to those of every role."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headrace.feedback.admin.models import (
    Because,
    Done,
    DryRun,
    FreezeRequest,
    HistoryRequest,
    ModeRequest,
    OrderList,
    Status,
    WhyRequest,
    WishRequest,
)
from headrace.feedback.admin.questions import (
    Answer,
    AskDryRun,
    AskOrders,
    AskStatus,
    AskWhy,
    GiveFreeze,
    GiveMode,
    GiveWish,
    Question,
)
from headrace.feedback.history import History
from headrace.node.admin.operations import Media, NoRequest, Operation, Operations
from headrace.node.admin.worker_answers import ask_worker
from headrace.node.running import Node


class Handlers:
    """One method for each operation."""

    def __init__(self, node: Node, state_dir: Path) -> None:
        self._node = node
        self._history = History(state_dir)

    async def status(self, _asked: NoRequest) -> Status:
        """Return the whole table."""
        found = (await self._ask(AskStatus())).status
        assert found is not None
        return found

    async def why(self, asked: WhyRequest) -> Because:
        """Return the chain of reasons of a server or a site."""
        found = (await self._ask(AskWhy(asked.name))).because
        assert found is not None
        return found

    async def orders(self, _asked: NoRequest) -> OrderList:
        """Return all orders of operators."""
        found = (await self._ask(AskOrders())).orders
        assert found is not None
        return found

    async def dry_run(self, _asked: NoRequest) -> DryRun:
        """Return what the balance comes to."""
        found = (await self._ask(AskDryRun())).dry_run
        assert found is not None
        return found

    async def history(self, asked: HistoryRequest) -> bytes:
        """Return the last events as lines of JSON, the newest first."""
        lines = await asyncio.to_thread(self._history.last, asked.limit, asked.about)
        return b"".join(line + b"\n" for line in lines)

    async def freeze(self, asked: FreezeRequest) -> Done:
        """Stop the automation, or let it run again."""
        return await self._give(GiveFreeze(asked))

    async def wish(self, asked: WishRequest) -> Done:
        """Take an operator's wish."""
        return await self._give(GiveWish(asked))

    async def mode(self, asked: ModeRequest) -> Done:
        """Take another mode."""
        return await self._give(GiveMode(asked))

    async def _give(self, order: Question) -> Done:
        done = (await self._ask(order)).done
        assert done is not None
        return done

    async def _ask(self, question: Question) -> Answer:
        """Return the worker's answer. Raises ProblemError."""
        return await ask_worker(self._node, question, Answer)


def operations(node: Node, state_dir: Path) -> Operations:
    """Return the operations, carried out by this node."""
    handlers = Handlers(node, state_dir)
    return (*_questions(handlers), *_orders(handlers))


def _questions(handlers: Handlers) -> Operations:
    return (
        Operation(
            "GET",
            "/feedback/status",
            "Servers, sites and observers as this process knows them.",
            handlers.status,
            Status,
            "The state.",
            refusals=(503,),
        ),
        Operation(
            "GET",
            "/feedback/why",
            "The chain from what was observed of a server or a site to what is published.",
            handlers.why,
            Because,
            "The reasons.",
            request=WhyRequest,
            refusals=(404, 503),
        ),
        Operation(
            "GET",
            "/feedback/orders",
            "The orders of operators: which are in force, which are overruled, and who knows them.",
            handlers.orders,
            OrderList,
            "The orders, the newest first.",
            refusals=(503,),
        ),
        Operation(
            "GET",
            "/feedback/dry-run",
            "What the balance between sites comes to, whether its weights are in force or not.",
            handlers.dry_run,
            DryRun,
            "The reasons.",
            refusals=(503,),
        ),
        Operation(
            "GET",
            "/feedback/history",
            "What changed, the newest first, as lines of JSON.",
            handlers.history,
            Media("application/x-ndjson"),
            "The events.",
            request=HistoryRequest,
        ),
    )


def _orders(handlers: Handlers) -> Operations:
    return (
        Operation(
            "POST",
            "/feedback/freeze",
            "Keep the view as it is while states are still observed, or let it follow them again.",
            handlers.freeze,
            Done,
            "It is known here, and told to the other observers.",
            request=FreezeRequest,
            refusals=(503,),
        ),
        Operation(
            "POST",
            "/feedback/wish",
            "Want a server, or a site's servers, online, draining, withdrawn, or nothing any more.",
            handlers.wish,
            Done,
            "It is known here, and told to the other observers.",
            request=WishRequest,
            refusals=(404, 409, 503),
        ),
        Operation(
            "POST",
            "/feedback/mode",
            "Choose what the loop does: states alone, a dry run of the balance, or both.",
            handlers.mode,
            Done,
            "It is known here, and told to the other observers.",
            request=ModeRequest,
            refusals=(503,),
        ),
    )
