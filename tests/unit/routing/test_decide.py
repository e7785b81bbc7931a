"""Where clients go, on a network of two sites."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from headrace.reasons import Reason
from headrace.routing.decide import Routing
from headrace.routing.question import Decision, Question
from headrace.topology.coverage import CoverageTable, client_of
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from tests.harness.networks import two_sites
from tests.harness.placements import PlainPlacement

NETWORK = two_sites()
CONTENT = NETWORK.classes[0]


def decide(client: str | None, view: View = NO_VIEW, external: bool = True) -> Decision:
    """Return the decision for a client of the small network."""
    routing = Routing(NETWORK, PlainPlacement(NETWORK, view), CoverageTable(NETWORK), None, view)
    packed = None if client is None else client_of(ip_address(client))
    return routing.decide(Question(packed, replace(CONTENT, external=external), b"shard"))


def places(decision: Decision) -> list[str]:
    """Return the names of the servers, or of the external sites."""
    return [each.server.name if each.server else each.site.name for each in decision.candidates]


def failed(*names: str) -> View:
    """Return a view in which these servers failed."""
    return View(servers={name: ServerView(ServerState.FAILED) for name in names})


def test_a_client_of_a_coverage_goes_to_its_sites_in_order() -> None:
    decision = decide("203.0.113.9")
    assert places(decision) == ["s1", "s2", "n1", "n2", "elsewhere"]
    assert decision.reason is Reason.BY_COVERAGE
    assert (decision.coverage, decision.prefix_length, decision.fallback) == ("b", 24, False)


def test_a_site_without_a_server_is_left_out() -> None:
    decision = decide("203.0.113.9", failed("s1", "s2"))
    assert places(decision) == ["n1", "n2", "elsewhere"]
    assert decision.fallback


def test_the_external_site_stands_in_where_the_class_allows_it() -> None:
    nothing = failed("s1", "s2", "n1", "n2")
    decision = decide("203.0.113.9", nothing)
    assert places(decision) == ["elsewhere"]
    assert decision.reason is Reason.BY_EXTERNAL
    decision = decide("203.0.113.9", nothing, external=False)
    assert places(decision) == []
    assert decision.reason is Reason.NO_SERVER


def test_a_full_or_draining_server_comes_last() -> None:
    view = View(
        servers={
            "s1": ServerView(ServerState.FULL),
            "s2": ServerView(ServerState.DRAINING),
        }
    )
    assert places(decide("203.0.113.9", view)) == ["n1", "n2", "elsewhere", "s1", "s2"]


def test_an_unknown_client_goes_by_the_default_coverage() -> None:
    decision = decide(None)
    assert decision.reason is Reason.BY_DEFAULT
    assert (decision.coverage, decision.prefix_length) == ("others", 0)
    assert decision.first is not None
