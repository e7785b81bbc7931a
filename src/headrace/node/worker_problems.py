"""What keeps workers from what they are asked to do, in words for operators and logs."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.node.messages import Checked, Message, Refused
from headrace.node.worker_process import Worker, exit_reason

NONE_SERVES = "no worker serves; the log says why"


async def why_not_ready(worker: Worker, within_s: float) -> str:
    """Return why a worker did not begin to serve."""
    if worker.channel.closed:
        code = await worker.process.wait()
        return worker.problem or f"it ended with {exit_reason(code)}; its own log says more"
    return worker.problem or f"it was not ready within {within_s:.0f} seconds"


def refusal(worker: Worker, answer: Message | None) -> str:
    """Return why a worker does not take a new configuration; `answer` is None if it is silent."""
    if isinstance(answer, Refused):
        return f"worker {worker.number} refused the config: {answer.problem}"
    return f"worker {worker.number} did not answer; nothing has changed, try again"


def unsound_among(
    asked: Sequence[Worker], answers: Sequence[Message | None], within_s: float
) -> str | None:
    """Return which of the workers that were checked does not serve, and why; None: all do."""
    problems = []
    for worker, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Checked):
            problem = answer.problem
        elif worker.channel.closed:
            continue  # it died meanwhile, and its listener with it
        else:
            problem = f"it does not answer within {within_s:g} s"
        if problem:
            problems.append(f"worker {worker.number}: {problem}")
    if all(worker.channel.closed for worker in asked):
        return NONE_SERVES
    return "; ".join(problems) or None
