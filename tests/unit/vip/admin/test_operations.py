"""What the admin API takes for an order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from headrace.node.admin.operations import NoRequest
from headrace.node.admin.problem import ProblemError
from headrace.node.admin.requests import read_body
from headrace.vip.admin.models import Done, DrainRequest
from headrace.vip.admin.operations import Handlers, operations
from headrace.vip.admin.questions import Answer, AskStatus, GiveDrain, Question
from tests.harness.fake_node import FakeNode, FakeWorkers
from tests.unit.cli.test_vip_running import changed


def test_an_order_with_a_word_that_is_none_is_refused() -> None:
    """A server that was to be out for two hours would be out for good."""
    assert read_body(DrainRequest, b'{"for_s": 7200}').for_s == 7200
    with pytest.raises(ProblemError, match="unknown field 'for': use"):
        read_body(DrainRequest, b'{"for": 7200}')


def test_no_operation_passes_over_what_it_does_not_know() -> None:
    node = FakeNode(FakeWorkers(lambda _question: []))
    models = [one.request for one in operations(node) if one.request is not NoRequest]
    assert len(models) == 6
    assert all(model.__struct_config__.forbid_unknown_fields for model in models)


@pytest.mark.parametrize("problem", ["No space left on device", ""])
def test_who_gives_an_order_hears_that_it_could_not_be_written(problem: str) -> None:
    def answers(question: Question) -> Sequence[Answer]:
        if isinstance(question, GiveDrain):
            return [Answer(done=Done("serving", "draining", ""))]  # it is not written yet
        assert isinstance(question, AskStatus)
        return [Answer(status=changed(state_problem=problem))]

    workers = FakeWorkers(answers)
    done = asyncio.run(Handlers(FakeNode(workers)).drain(DrainRequest()))
    assert (done.wanted, done.state_problem) == ("draining", problem)


def test_an_order_is_in_force_though_the_worker_hangs_right_after_it() -> None:
    def answers(question: Question) -> Sequence[Answer]:
        return [Answer(done=Done("serving", "draining", ""))] if type(question) is GiveDrain else []

    done = asyncio.run(Handlers(FakeNode(FakeWorkers(answers))).drain(DrainRequest()))
    assert done.wanted == "draining"
