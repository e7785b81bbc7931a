"""What the admin API takes for an order."""

from __future__ import annotations

import pytest

from headrace.node.admin.operations import NoRequest
from headrace.node.admin.problem import ProblemError
from headrace.node.admin.requests import read_body
from headrace.vip.admin.models import DrainRequest
from headrace.vip.admin.operations import operations
from tests.harness.fake_node import FakeNode, FakeWorkers


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
