"""A running node as its admin operations see it: what they may ask of it, whatever its role."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from headrace.telemetry.facts import ServerFacts
from headrace.telemetry.metrics import Snapshot
from headrace.telemetry.report import Report

AnswerT = TypeVar("AnswerT", bound=msgspec.Struct)


class Workers(Protocol):
    """The workers that serve, for a role's own questions to them (see `WorkerRole.answer`)."""

    async def ask_each(
        self, question: msgspec.Struct, answer: type[AnswerT], within_s: float = 2.0
    ) -> list[AnswerT]:
        """Return the answers of all workers that serve and answer in time."""
        ...

    async def ask_and_miss(
        self, question: msgspec.Struct, answer: type[AnswerT], within_s: float = 2.0
    ) -> tuple[list[AnswerT], list[str]]:
        """Return the same, and which workers live and do not answer, in words."""
        ...

    def tell_all(self, notice: msgspec.Struct) -> None:
        """Say something to all workers that wants no answer."""
        ...

    def kill(self, pid: int) -> bool:
        """End the worker with this process id at once; return whether there is one."""
        ...


class Node(Protocol):
    """The supervisor, without what only its own process may do."""

    @property
    def workers(self) -> Workers:
        """The worker processes."""

    @property
    def report(self) -> type[Report]:
        """The model of its report: what is the same for every role, and what its role adds."""
        ...

    def not_ready_because(self) -> str | None:
        """Return why not to send clients here now; None when they are welcome."""
        ...

    def impairment(self) -> str:
        """Return why clients would be better off elsewhere, though they are served; "": nothing."""
        ...

    async def readiness(self) -> str | None:
        """Return the same after a question to every worker."""
        ...

    async def totals(self) -> Snapshot:
        """Return the counts of all workers since the node started."""
        ...

    async def facts(self) -> ServerFacts:
        """Return the state of the node, its processes and its role."""
        ...

    def drain(self) -> None:
        """Send clients elsewhere: not ready, and connections close as they fall idle."""
        ...

    def undrain(self) -> None:
        """Serve as before."""
        ...

    async def reload(self) -> int:
        """Read the configuration again and work by it; return its version here.

        Raises HeadraceError when it cannot be used; the old one then stays in force everywhere.
        """
        ...
