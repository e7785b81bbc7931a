"""Waits for what a fill brings, this request's own or another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headrace.edge.context import WorkerContext
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.backoff import Tries
from headrace.edge.fill.refs import FillRefs
from headrace.edge.fill.result import Failed, Filled, Restart, Result, StillWaiting, Uncacheable
from headrace.edge.fill.table import (
    Begun,
    Changed,
    Exhausted,
    Followed,
    Joined,
    Refused,
    Unstorable,
)
from headrace.edge.request.passthrough import tell_to_wait
from headrace.edge.request.select import is_same
from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason


async def filled(
    edge: WorkerContext,
    exchange: Exchange,
    asked: FillRequest,
    refs: FillRefs,
    tries: Tries,
    is_unchanged: Callable[[], bool],
) -> tuple[Result, bool]:
    """Return what a fill brings; and whether it was another request's."""
    wait_s = edge.lock_wait_s
    entry = edge.fills.join_or_begin(asked, refs, tries, is_unchanged, owned=True)
    match entry:
        case Changed():
            return Restart(), False
        case Unstorable():
            return Uncacheable(None, 0, Reason.STORE_FAILED), False
        case Exhausted():
            return Uncacheable(None, 0, Reason.CONTENDED), False
        case Refused():
            return Failed(503, Reason.TOO_MANY_REQUESTS.word), False
        case Begun() | Joined() | Followed():
            if asked.peer is not None and not _may_wait_for_its_asker(edge, asked, entry):
                tell_to_wait(exchange)
            result = await edge.fills.result(entry, wait_s)
            if isinstance(entry, Begun):
                assert not isinstance(result, StillWaiting)
                return result, False
            if isinstance(result, StillWaiting):
                return Uncacheable(None, 0, Reason.LOCK_WAIT), True
            return await _unless_completing(edge, asked, result), True


def _may_wait_for_its_asker(
    edge: WorkerContext, asked: FillRequest, entry: Begun | Joined | Followed
) -> bool:
    """Return whether the fill that a server of this site waits for may be waiting for that server.

    Two servers that disagree about who owns a shard ask each other. Then none of them says that it
    is at work, and who waits asks the next.
    """
    plan = edge.plan(asked.resource, asked.peer)
    if plan is None or asked.peer is None or isinstance(entry, Begun):
        return False
    if isinstance(entry, Followed):
        plan = edge.plan(asked.resource, None)
    else:
        plan = edge.plan(asked.resource, entry.fill.asked.peer)
    return plan is not None and plan.siblings


async def _unless_completing(edge: WorkerContext, asked: FillRequest, result: Result) -> Result:
    """Wait for a fill that only completes what is stale: it says nothing of freshness."""
    stored = asked.slices.stored
    if (
        isinstance(result, Filled)
        and result.growing is not None
        and stored is not None
        and is_same(stored, result.stored)
    ):
        try:
            async with asyncio.timeout(edge.lock_wait_s):
                await result.growing.ended()
        except TimeoutError:
            return Uncacheable(None, 0, Reason.LOCK_WAIT)
        return Restart()
    return result
