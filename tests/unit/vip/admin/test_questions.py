"""What is answered to a question that cannot be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from headrace.topology.model import Site
from headrace.vip.admin.questions import MOST_NAMED, AskExplain, answer_question
from headrace.vip.announcing import Announcing
from headrace.vip.plan.model import Plan
from headrace.vip.plan.order import SiteOrder
from tests.unit.vip.handover.test_wish import an_order


def told(order: SiteOrder, asked: str) -> str:
    """Return the trouble with an address."""
    server = cast("Announcing", SimpleNamespace(order=order, plan=Plan("n1")))
    answer = answer_question(server, msgspec.Raw(msgspec.json.encode(AskExplain(asked))), 1)
    assert answer.trouble is not None
    assert answer.trouble.status == 404
    return answer.trouble.detail


@pytest.mark.parametrize("asked", ["203.0.113.9", "nonsense"])
def test_who_asks_of_what_is_no_vip_hears_which_there_are(asked: str) -> None:
    order = an_order(2, 1)
    found = told(order, asked)
    assert asked in found
    assert all(str(vip) in found for vip in order.vips)
    many = told(an_order(2 * MOST_NAMED, 1), asked)
    assert many.count(", ") == MOST_NAMED
    assert "more, which `headrace vip status` shows" in many


def test_a_site_without_any_says_so() -> None:
    assert "it has none" in told(SiteOrder(Site("north"), {}, {}), "203.0.113.9")
