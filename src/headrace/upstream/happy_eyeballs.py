"""Connecting to the first of several addresses that answers (Happy Eyeballs, RFC 8305)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

from headrace.upstream.errors import OriginError

STAGGER_S = 0.25
MOST_TRIED = 8
"""A name with a hundred addresses, none of which answers, must not cost a hundred sockets."""
Connected = TypeVar("Connected")
Resolved = tuple[int, int, int, str, Any]


def interleaved(found: Sequence[Resolved]) -> list[Resolved]:
    """Return the addresses with their families taking turns, the first one's family first
    (RFC 8305 section 4); not more of them than are worth a try."""
    families: dict[int, list[Resolved]] = {}
    for address in found:
        families.setdefault(address[0], []).append(address)
    turns = zip_longest(*families.values())
    in_turn = [address for address in chain.from_iterable(turns) if address is not None]
    return in_turn[:MOST_TRIED]


async def first_connected(
    addresses: Sequence[Resolved],
    connect: Callable[[Resolved], Awaitable[Connected]],
    discard: Callable[[Connected], None],
    stagger_s: float = STAGGER_S,
) -> Connected:
    """Return what `connect` returns for the first address that answers.

    Another attempt begins when one fails, or takes longer than `stagger_s`. Those that lose are
    cancelled, or discarded. Raises the last OriginError when all fail.
    """
    if len(addresses) == 1:
        return await connect(addresses[0])
    waiting = list(addresses)
    running: set[asyncio.Future[Connected]] = set()
    problem: OriginError | None = None
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(connect(waiting.pop(0))))
            done, running = await asyncio.wait(
                running,
                timeout=stagger_s if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                error = attempt.exception()
                if error is None:
                    done.discard(attempt)
                    running |= done
                    return attempt.result()
                if not isinstance(error, OriginError):
                    raise error
                problem = error
    finally:
        for attempt in running:
            attempt.add_done_callback(lambda lost: _discard(lost, discard))
            attempt.cancel()
    assert problem is not None
    raise problem


def _discard(attempt: asyncio.Future[Connected], discard: Callable[[Connected], None]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        discard(attempt.result())
