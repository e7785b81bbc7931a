"""The bench of decisions asks what it says."""

from __future__ import annotations

from bench.prefixes import decisions

from headrace.reasons import Reason
from headrace.routing.decide import Routing
from headrace.routing.question import Question
from headrace.topology.coverage import CoverageTable
from headrace.topology.placement import Placement


def test_each_kind_of_question_is_measured() -> None:
    found = decisions.main(count=20)
    assert len(found) == 5
    assert all(spent_us > 0 for spent_us in found.values())


def test_its_clients_are_covered() -> None:
    topology = decisions.network(1)
    routing = Routing(topology, Placement(topology), CoverageTable(topology))
    client = (decisions.FIRST + (7 << 16) + 9).to_bytes(4, "big")
    decision = routing.decide(Question(client, decisions.CONTENT, b"/show/1"))
    assert (decision.reason, decision.coverage) == (Reason.BY_COVERAGE, "c7")
