"""Questions of the admin API to the one worker of a role that knows the answer."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from headrace.node.admin.problem import ProblemError
from headrace.node.running import Node
from headrace.node.worker_problems import NONE_SERVES


class Trouble(msgspec.Struct):
    """Why something could not be done: a status of HTTP, and words."""

    status: int
    detail: str


class MayFail(msgspec.Struct):
    """An answer that may say why there is none (None: there is)."""

    trouble: Trouble | None = None


_WHY: dict[str | None, str] = {
    "starting": "it is starting: ask again in a moment",
    "stopping": "it is stopping",
}

AnswerT = TypeVar("AnswerT", bound=MayFail)


async def ask_worker(node: Node, question: msgspec.Struct, kind: type[AnswerT]) -> AnswerT:
    """Return the worker's answer. Raises ProblemError."""
    found, silent = await node.workers.ask_and_miss(question, kind)
    if silent and not found:
        raise ProblemError(503, f"{silent[0]} does not answer: it is busy, or it hangs")
    if not found:
        raise ProblemError(503, _WHY.get(node.not_ready_because(), NONE_SERVES))
    trouble = found[0].trouble
    if trouble is not None:
        raise ProblemError(trouble.status, trouble.detail)
    return found[0]
