"""What a request to purge comes to, before the store is asked."""

from __future__ import annotations

import msgspec
import pytest

from headrace.edge.admin.purging import Directory, plan_purge
from headrace.edge.admin.requests import PurgeRequest
from headrace.node.admin.problem import ProblemError
from headrace.store.purge_rules import LONGEST_VALUE
from tests.unit.config.test_loader import GOOD, load

DIRECTORY = Directory.of(load(GOOD))
BASE = "http://a.test/"


@pytest.mark.parametrize(
    ("field", "begins"),
    [("url", BASE), ("prefix", BASE), ("tag", "")],
    ids=["url", "prefix", "tag"],
)
def test_what_no_key_is_as_long_as_is_refused(field: str, begins: str) -> None:
    with pytest.raises(ProblemError) as refused:
        plan_purge(
            msgspec.convert({field: begins + "x" * (LONGEST_VALUE + 1)}, PurgeRequest), DIRECTORY
        )
    assert refused.value.status == 422
    assert f"{field} is longer than any key" in str(refused.value)


def test_a_url_is_purged_for_both_schemes_by_one_rule() -> None:
    assert [
        (found.kind, found.soft) for found in plan_purge(PurgeRequest(url=BASE), DIRECTORY)
    ] == [("url", False)]
