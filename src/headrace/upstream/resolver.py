"""Names of origins to addresses, looked up again every few seconds.

The system's resolver knows no lifetimes, so answers are kept for a fixed time. While it fails, the
last answer holds for a while: an origin that works is not lost to a resolver that does not. That a
name cannot be resolved is remembered for a moment too: not each request costs a look-up.

Names come from the configuration, not from clients. All the same, what is kept is bounded: so many
names, so many addresses of each. A name is looked up once at a time, on the loop's own threads.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.happy_eyeballs import Resolved

KEPT_S = 10.0
KEPT_WITHOUT_RESOLVER_S = 300.0
FAILURE_KEPT_S = 1.0
MOST_NAMES = 4096
MOST_ADDRESSES = 64
Name = tuple[str, int]
Kept = TypeVar("Kept")


@dataclass(slots=True)
class Answer:
    """Addresses, and when they were found."""

    found: Sequence[Resolved]
    at: float

    @property
    def addresses(self) -> frozenset[str]:
        """Return the addresses. Raises OriginError."""
        return frozenset(str(found[4][0]) for found in self.found)


class Resolver:
    """Resolves for one worker. An address that is written as one costs nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answers: dict[Name, Answer] = {}
        self._failures: dict[Name, tuple[str, float]] = {}
        self._asking: dict[Name, asyncio.Task[Sequence[Resolved]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[Resolved]:
        """Return the addresses of a host. Raises OriginError."""
        literal = _literal(host, port)
        if literal is not None:
            return literal
        name = (host, port)
        now = self._loop.time()
        known = self._answers.get(name)
        if known is not None and now - known.at < KEPT_S:
            return known.found
        problem, failed_at = self._failures.get(name, ("", -math.inf))
        if now - failed_at < FAILURE_KEPT_S:
            return self._in_spite_of(problem, name, now)
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = self._loop.create_task(self._ask(name))
            task.add_done_callback(lambda ended: self._ended(name, ended))
        return await asyncio.shield(task)

    def _ended(self, name: Name, task: asyncio.Task[Sequence[Resolved]]) -> None:
        self._asking.pop(name, None)
        if not task.cancelled():
            task.exception()  # those who still wait have it; perhaps none does

    def known(self, host: str, port: int) -> frozenset[str] | None:
        """Return the addresses in the last answer; None when there was none, or none was needed."""
        answer = self._answers.get((host, port))
        return None if answer is None else answer.addresses

    async def _ask(self, name: Name) -> Sequence[Resolved]:
        host, port = name
        problem = f"{host} has no address"
        found: Sequence[Resolved] = ()
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            problem = f"cannot resolve {host}: {error}"
        now = self._loop.time()
        if not found:
            _keep(self._failures, name, (problem, now))
            return self._in_spite_of(problem, name, now)
        found = found[:MOST_ADDRESSES]
        self._failures.pop(name, None)
        _keep(self._answers, name, Answer(found, now))
        return found

    def _in_spite_of(self, problem: str, name: Name, now: float) -> Sequence[Resolved]:
        """Return the last answer while it holds; raises OriginError else."""
        known = self._answers.get(name)
        if known is not None and now - known.at < KEPT_WITHOUT_RESOLVER_S:
            return known.found
        raise OriginError(Failure.DNS, problem)


def _keep(kept: dict[Name, Kept], name: Name, value: Kept) -> None:
    """Remember a value, the newest last; the oldest is forgotten when there are too many."""
    kept.pop(name, None)
    kept[name] = value
    if len(kept) > MOST_NAMES:
        del kept[next(iter(kept))]


def _literal(host: str, port: int) -> Sequence[Resolved] | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return None
    return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
