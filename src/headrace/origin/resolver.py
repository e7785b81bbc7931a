"""Names of origins to addresses, looked up again every few seconds.

The system's resolver tells no lifetimes, so answers are kept for a fixed time. While it fails, the
last answer holds for a while: an origin that works is not lost to a resolver that does not.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from headrace.origin.errors import Failure, OriginError
from headrace.origin.eyeballs import Resolved

KEPT_S = 10.0
KEPT_WITHOUT_RESOLVER_S = 300.0
Name = tuple[str, int]


@dataclass(slots=True)
class Answer:
    """Addresses, and when they were found."""

    found: Sequence[Resolved]
    at: float

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset(str(found[4][0]) for found in self.found)


class Resolver:
    """Resolves for one worker. An address that is written as one costs nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answers: dict[Name, Answer] = {}
        self._asking: dict[Name, asyncio.Task[Sequence[Resolved]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[Resolved]:
        """The addresses of a host. Raises OriginError."""
        literal = _literal(host, port)
        if literal is not None:
            return literal
        name = (host, port)
        known = self._answers.get(name)
        if known is not None and self._loop.time() - known.at < KEPT_S:
            return known.found
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = self._loop.create_task(self._ask(name))
            task.add_done_callback(lambda ended: self._ended(name, ended))
        return await asyncio.shield(task)

    def _ended(self, name: Name, task: asyncio.Task[Sequence[Resolved]]) -> None:
        self._asking.pop(name, None)
        if not task.cancelled():
            task.exception()  # those who still wait have it; perhaps nobody does

    def known(self, host: str, port: int) -> frozenset[str] | None:
        """The addresses in the last answer; None when there was none, or none was needed."""
        answer = self._answers.get((host, port))
        return None if answer is None else answer.addresses

    async def _ask(self, name: Name) -> Sequence[Resolved]:
        host, port = name
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            known = self._answers.get(name)
            if known is not None and self._loop.time() - known.at < KEPT_WITHOUT_RESOLVER_S:
                return known.found
            raise OriginError(Failure.DNS, f"cannot resolve {host}: {error}") from error
        if not found:
            raise OriginError(Failure.DNS, f"{host} has no address")
        self._answers[name] = Answer(found, self._loop.time())
        return found


def _literal(host: str, port: int) -> Sequence[Resolved] | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return None
    return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
