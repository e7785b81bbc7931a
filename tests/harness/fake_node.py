"""A node for the edge's admin operations, with answers of its workers that a test writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headrace.node.running import AnswerT
from headrace.telemetry.facts import ServerFacts
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.telemetry.report import Report


@dataclass
class FakeWorkers:
    """Workers that answer what `answers` returns to a question, and remember all they hear."""

    answers: Callable[[Any], Sequence[msgspec.Struct]]
    heard: list[msgspec.Struct] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    on_kill: Callable[[int], None] | None = None

    async def ask_each(
        self, question: msgspec.Struct, answer: type[AnswerT], within_s: float = 2.0
    ) -> list[AnswerT]:
        self.heard.append(question)
        found = self.answers(question)
        assert all(isinstance(one, answer) for one in found)
        return [one for one in found if isinstance(one, answer)]

    async def ask_and_miss(
        self, question: msgspec.Struct, answer: type[AnswerT], within_s: float = 2.0
    ) -> tuple[list[AnswerT], list[str]]:
        return await self.ask_each(question, answer, within_s), list(self.silent)

    def tell_all(self, notice: msgspec.Struct) -> None:
        self.heard.append(notice)

    def kill(self, pid: int) -> bool:
        self.killed.append(pid)
        if self.on_kill is not None:
            self.on_kill(pid)
        return True


@dataclass
class FakeNode:
    """A node whose workers and counts are a test's."""

    workers: FakeWorkers
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)
    report: type[Report] = Report
    reason: str | None = None
    impaired: str = ""

    def not_ready_because(self) -> str | None:
        return self.reason

    def impairment(self) -> str:
        return self.impaired

    async def readiness(self) -> str | None:
        return self.reason

    async def totals(self) -> Snapshot:
        return self.metrics.snapshot()

    async def facts(self) -> ServerFacts:
        raise NotImplementedError

    def drain(self) -> None:
        raise NotImplementedError

    def undrain(self) -> None:
        raise NotImplementedError

    async def reload(self) -> int:
        raise NotImplementedError
