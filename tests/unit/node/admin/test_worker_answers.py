"""What an operator reads when the one worker that knows gives no answer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from headrace.node.admin.problem import ProblemError
from headrace.node.admin.worker_answers import MayFail, Trouble, ask_worker


class Question(msgspec.Struct):
    """A question."""


def asked(
    answers: list[MayFail], silent: list[str], not_ready: str | None = None
) -> MayFail | ProblemError:
    async def ask_and_miss(_question: object, _kind: object) -> tuple[list[MayFail], list[str]]:
        return answers, silent

    node = SimpleNamespace(
        workers=SimpleNamespace(ask_and_miss=ask_and_miss), not_ready_because=lambda: not_ready
    )
    try:
        return asyncio.run(ask_worker(cast(Any, node), Question(), MayFail))
    except ProblemError as problem:
        return problem


@pytest.mark.parametrize(
    ("silent", "not_ready", "says"),
    [
        ([], "starting", "it is starting: ask again in a moment"),
        ([], "stopping", "it is stopping"),
        ([], "no worker serves; the log says why", "no worker serves; the log says why"),
        (
            ["worker 0 (process 7)"],
            None,
            "worker 0 (process 7) does not answer: it is busy, or it hangs",
        ),
    ],
)
def test_why_there_is_no_answer_is_said(
    silent: list[str], not_ready: str | None, says: str
) -> None:
    problem = asked([], silent, not_ready)
    assert isinstance(problem, ProblemError)
    assert (problem.status, str(problem)) == (503, says)


def test_an_answer_is_given_and_its_trouble_is_a_problem() -> None:
    answer = MayFail()
    assert asked([answer], []) is answer
    refused = asked([MayFail(Trouble(404, "no such server"))], [])
    assert isinstance(refused, ProblemError)
    assert refused.status == 404
