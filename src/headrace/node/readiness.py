"""Whether clients are welcome: by what each worker finds when it is asked, not by what is believed.

A worker whose listener is open gets its share of the clients, so one that cannot serve them makes
the node unready, even while others can. A worker checks what a request would need: a turn of its
event loop, descriptors, room for a connection, and what its role needs. The check is bounded in
time and its result holds for a second, so that asking often costs nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from headrace.http.server.acceptor import Server

HOLDS_S = 1.0
CHECK_TIMEOUT_S = 2.0
DESCRIPTORS_NEEDED = 8  # a connection, an origin's, a part, a body, and some that overlap


def problem_of(server: Server) -> str:
    """Return, in a worker, why it cannot take a request now; "" if it can."""
    if not server.listeners:
        return "it does not listen"
    if len(server.connections) >= server.limits.connections:
        return "it has as many connections as limits.connections allows"
    opened: list[int] = []
    try:
        for _ in range(DESCRIPTORS_NEEDED):
            opened.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return f"it has no descriptor left: {error.strerror}"
    else:
        if opened[0] >= server.limits.descriptors:
            return "it has no descriptor left for another client: the rest is for who is in"
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return ""


class Readiness:
    """The supervisor's view: asks all workers, at most once in HOLDS_S, whoever wants to know."""

    def __init__(self, check: Callable[[], Awaitable[str | None]]) -> None:
        self._check = check
        self._looking: asyncio.Task[str | None] | None = None
        self._until = 0.0

    async def problem(self) -> str | None:
        """Return what is wrong with which worker; None when each could serve a request."""
        loop = asyncio.get_running_loop()
        looking = self._looking
        if looking is None or (looking.done() and loop.time() >= self._until):
            looking = self._looking = loop.create_task(self._look())
        return await asyncio.shield(looking)

    async def _look(self) -> str | None:
        try:
            return await self._check()
        finally:
            self._until = asyncio.get_running_loop().time() + HOLDS_S
