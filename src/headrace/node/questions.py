"""What is asked of all workers at once: their counts, whether they could serve, a role's questions.

Every question is bounded in time; who does not answer is left out.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from headrace.node.messages import (
    Check,
    Checked,
    GetStats,
    RoleAnswer,
    RoleNotice,
    RoleQuestion,
    Stats,
)
from headrace.node.running import AnswerT
from headrace.node.worker_problems import NONE_SERVES, unsound_among
from headrace.node.worker_process import State, Worker

ANSWER_TIMEOUT_S = 2.0


class Pool(Protocol):
    """Whom to ask."""

    @property
    def workers(self) -> list[Worker]:
        """The workers that have a place now."""
        ...

    @property
    def everyone(self) -> list[Worker]:
        """The workers alive now, those that leave included."""
        ...


class Questions:
    """The questions of one pool, numbered so that a late answer is not taken for another's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._number = 0

    async def ask_each(
        self,
        question: msgspec.Struct,
        answer: type[AnswerT],
        within_s: float = ANSWER_TIMEOUT_S,
    ) -> list[AnswerT]:
        """Ask a role's question of all workers that serve; return the answers that come."""
        return (await self.ask_and_miss(question, answer, within_s))[0]

    async def ask_and_miss(
        self,
        question: msgspec.Struct,
        answer: type[AnswerT],
        within_s: float = ANSWER_TIMEOUT_S,
    ) -> tuple[list[AnswerT], list[str]]:
        """Do the same; return also which workers live and do not answer, in words."""
        asked = RoleQuestion(self._next(), msgspec.Raw(msgspec.json.encode(question)))
        workers = [worker for worker in self._pool.workers if worker.state is State.READY]
        found = await asyncio.gather(
            *(worker.ask(asked, RoleAnswer, asked.number, within_s) for worker in workers)
        )
        answers = [
            msgspec.json.decode(one.answer, type=answer)
            for one in found
            if isinstance(one, RoleAnswer)
        ]
        silent = [
            f"worker {worker.number} (process {worker.pid})"
            for worker, one in zip(workers, found, strict=True)
            if not isinstance(one, RoleAnswer) and not worker.channel.closed
        ]
        return answers, silent

    async def unsound(self, within_s: float) -> str | None:
        """Return what keeps which worker from serving; None when each that listens could."""
        question = Check(self._next())
        asked = [worker for worker in self._pool.workers if worker.state is State.READY]
        if not asked:
            return NONE_SERVES
        found = await asyncio.gather(
            *(worker.ask(question, Checked, question.number, within_s) for worker in asked)
        )
        return unsound_among(asked, found, within_s)

    def tell_all(self, notice: msgspec.Struct) -> None:
        """Say something of a role's to all workers that wants no answer."""
        message = RoleNotice(msgspec.Raw(msgspec.json.encode(notice)))
        for worker in self._pool.workers:
            worker.channel.send(message)

    def kill(self, pid: int) -> bool:
        """End the worker with this process id at once; return whether there is one."""
        for worker in self._pool.everyone:
            if worker.pid == pid and worker.process.returncode is None:
                worker.kill()
                return True
        return False

    async def refresh(self) -> None:
        """Refresh every worker's snapshot."""
        question = GetStats(self._next())
        await asyncio.gather(
            *(
                worker.ask(question, Stats, question.number, ANSWER_TIMEOUT_S)
                for worker in self._pool.everyone
                if worker.state is not State.STARTING
            )
        )

    def _next(self) -> int:
        self._number += 1
        return self._number
