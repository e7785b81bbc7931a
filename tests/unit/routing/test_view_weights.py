"""How the weights of a view share the clients of a coverage among sites."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from headrace.routing.alike import DECIDE
from headrace.routing.decide import Routing
from headrace.routing.explain import Step, places
from headrace.routing.question import Question
from headrace.topology.coverage import CoverageTable
from headrace.topology.geo import Place
from headrace.topology.model import ContentClass, Coverage, Server, SiteChoice, Topology
from headrace.topology.placement import Placement
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from tests.harness.networks import two_sites

VOD = ContentClass("vod")
LIVE = ContentClass("live")
OURS = ContentClass("ours", external=False)
CLIENTS = [(0x0A000000 | number << 8 | 7).to_bytes(4, "big") for number in range(4_000)]
ELSEWHERE = IPv4Address("198.51.100.7").packed


def network() -> Topology:
    """Return a network whose clients of 10/8 belong to the north, and to the south after it."""
    coverage = (
        Coverage(
            "a",
            (SiteChoice("north"), SiteChoice("south", order=2)),
            prefixes=PrefixSet.of(["10.0.0.0/8"]),
        ),
        Coverage("b", (SiteChoice("south"),), prefixes=PrefixSet.of(["198.51.100.0/24"])),
    )
    return replace(two_sites(), coverage=coverage, classes=(VOD, LIVE, OURS))


class Somewhere:
    """A geographic file that has one place for all."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def place(self, _client: bytes) -> tuple[Place, int]:
        return self._place, 8


def routing(view: View, topology: Topology | None = None, geo: Somewhere | None = None) -> Routing:
    topology = topology or network()
    placement = Placement(topology, view)
    return Routing(topology, placement, CoverageTable(topology), geo, view)


def sites_of(made: Routing, content: ContentClass = VOD) -> list[str]:
    found = []
    for client in CLIENTS:
        question = Question(client, content, b"shard")
        first = made.decide(question).first
        assert first is not None
        quick = made.first(question)
        assert quick is None or quick.first == first
        found.append(first.site.name)
    return found


def shares(sites: list[str]) -> dict[str, float]:
    return {name: count / len(sites) for name, count in Counter(sites).items()}


def test_sites_of_all_orders_share_clients() -> None:
    found = shares(sites_of(routing(View(coverage={"a": {"north": 3.0, "south": 1.0}}))))
    assert found == {
        "north": pytest.approx(0.75, abs=0.03), "south": pytest.approx(0.25, abs=0.03)
    }  # fmt: skip


def test_parents_and_external_sites_may_share_too() -> None:
    view = View(coverage={"a": {"north": 0.6, "mid": 0.2, "elsewhere": 0.2}})
    found = shares(sites_of(routing(view)))
    assert found == {
        "north": pytest.approx(0.6, abs=0.03),
        "mid": pytest.approx(0.2, abs=0.03),
        "elsewhere": pytest.approx(0.2, abs=0.03),
    }


def test_a_class_that_must_stay_inside_does() -> None:
    view = View(coverage={"a": {"north": 0.5, "elsewhere": 0.5}})
    assert set(sites_of(routing(view), OURS)) == {"north"}


def test_no_view_sends_clients_where_their_coverage_does_not_reach() -> None:
    made = routing(View(coverage={"b": {"north": 1.0, "nowhere": 1.0}}))
    first = made.decide(Question(ELSEWHERE, VOD, b"shard")).first
    assert first is not None
    assert first.site.name == "south"


def test_a_class_has_weights_of_its_own() -> None:
    view = View(
        coverage={"a": {"north": 1.0, "south": 1.0}},
        by_class={"live": {"a": {"south": 1.0}}, "ours": {"a": {}}},
    )
    made = routing(view)
    assert set(sites_of(made, VOD)) == {"north", "south"}
    assert set(sites_of(made, LIVE)) == {"south"}
    assert set(sites_of(made, OURS)) == {"north"}
    assert set(sites_of(made, VOD)) == {"north", "south"}


def test_dns_tells_classes_apart_too() -> None:
    made = routing(View(by_class={"live": {"a": {"south": 1.0}}}))
    named: dict[tuple[str, int], set[tuple[Server | None, ...]]] = defaultdict(set)
    for content in (VOD, LIVE, VOD):
        alike = made.alike(content, 2)
        assert alike is not None
        for client in CLIENTS[:200]:
            decided = made.decide(Question(client, content)).candidates[:2]
            found = alike.find(client[:3])
            assert found != DECIDE
            named[content.name, found].add(tuple(each.server for each in decided))
    assert all(len(servers) == 1 for servers in named.values())
    sites = {(name, one.site) for (name, _), (all_,) in named.items() for one in all_ if one}
    assert sites == {("vod", "north"), ("live", "south")}


def test_dns_decides_for_those_that_another_network_has() -> None:
    made = routing(View(coverage={"a": {"north": 1.0, "elsewhere": 1.0}}))
    alike = made.alike(VOD, 2)
    assert alike is not None
    for client in CLIENTS[:200]:
        first = made.decide(Question(client, VOD)).first
        assert first is not None
        assert (first.server is None) == (alike.find(client[:3]) == DECIDE)


def test_an_overflow_moves_only_what_it_must_and_brings_the_same_back() -> None:
    steps = [
        sites_of(routing(view))
        for view in (
            NO_VIEW,
            View(coverage={"a": {"north": 0.9, "south": 0.1}}),
            View(coverage={"a": {"north": 0.7, "south": 0.3}}),
            View(coverage={"a": {"north": 1.0}}),
        )
    ]
    gone = [{n for n, site in enumerate(one) if site == "south"} for one in steps]
    assert gone[0] == gone[3] == set()
    assert gone[1] < gone[2]
    assert len(gone[1]) / len(CLIENTS) == pytest.approx(0.1, abs=0.02)


def test_when_all_who_share_failed_the_description_says_who_is_next() -> None:
    servers = {name: ServerView(ServerState.FAILED) for name in ("n1", "n2", "m1")}
    view = View(servers=servers, coverage={"a": {"north": 0.5, "mid": 0.5}})
    assert set(sites_of(routing(view))) == {"south"}


def test_what_is_nearest_keeps_its_part_and_the_others_go_to_the_next() -> None:
    topology = replace(two_sites(), classes=(VOD,))
    geo = Somewhere(Place("NO", "EU", 60.0, 10.0))
    all_near = sites_of(routing(NO_VIEW, topology, geo))
    same = sites_of(routing(View(coverage={"others": {"north": 1, "south": 1}}), topology, geo))
    assert set(all_near) == set(same) == {"north"}
    some = sites_of(
        routing(View(coverage={"others": {"north": 0.35, "south": 0.65}}), topology, geo)
    )
    assert shares(some)["north"] == pytest.approx(0.7, abs=0.03)
    fewer = sites_of(
        routing(View(coverage={"others": {"north": 0.2, "south": 0.8}}), topology, geo)
    )
    assert {n for n, site in enumerate(fewer) if site == "north"} < {
        n for n, site in enumerate(some) if site == "north"
    }


def test_who_is_passed_on_goes_where_the_view_has_more() -> None:
    """Not to the next nearest: it may be full as well."""
    topology = replace(two_sites(), classes=(VOD,))
    geo = Somewhere(Place("NO", "EU", 60.0, 10.0))
    view = View(coverage={"others": {"north": 0.3, "south": 0.5, "mid": 0.1, "elsewhere": 0.1}})
    made = routing(view, topology, geo)
    assert shares(sites_of(made)) == {
        "north": pytest.approx(0.6, abs=0.03),
        "mid": pytest.approx(0.2, abs=0.03),
        "elsewhere": pytest.approx(0.2, abs=0.03),
    }
    steps: list[Step] = []
    made.decide(Question(CLIENTS[0], VOD, b"shard"), steps)
    said = [step.says for step in steps if step.step == "sites"]
    assert said[0].startswith("first for those whom their nearest site passes on")
    assert "keeps 60% of its clients" in said[1]
    for client in CLIENTS[:200]:
        names = places(made.decide(Question(client, VOD, b"shard")).candidates)
        assert len(set(names)) == len(names)
        assert len(names) > 3


def test_who_is_sent_on_from_the_nearest_is_no_fallback() -> None:
    topology = replace(two_sites(), classes=(VOD,))
    geo = Somewhere(Place("NO", "EU", 60.0, 10.0))
    made = routing(View(coverage={"others": {"north": 0.1, "south": 0.9}}), topology, geo)
    decisions = [made.decide(Question(client, VOD, b"shard")) for client in CLIENTS[:50]]
    assert {one.first.site.name for one in decisions if one.first} == {"north", "south"}
    assert not any(one.fallback for one in decisions)
    # Nobody is lost: where the next one fails, the nearest serves them after all.
    view = View(
        servers={name: ServerView(ServerState.FAILED) for name in ("s1", "s2")},
        coverage={"others": {"north": 0.1, "south": 0.9}},
    )
    assert set(sites_of(routing(view, topology, geo))) == {"north"}


def test_it_is_said_whose_weights_they_are() -> None:
    steps: list[Step] = []
    view = View(by_class={"live": {"a": {"north": 0.9, "south": 0.1}}})
    routing(view).decide(Question(CLIENTS[0], LIVE, b"shard"), steps)
    ranks = [step for step in steps if step.step == "sites"]
    assert len(ranks) == 1
    assert "rank 1 (by coverage, weights by the view)" in ranks[0].says
    assert {row["site"]: row["share"] for row in ranks[0].values["sites"]} == {
        "north": 0.9, "south": 0.1
    }  # fmt: skip
    steps.clear()
    routing(view).decide(Question(CLIENTS[0], VOD, b"shard"), steps)
    assert [step.values["weights_by"] for step in steps if step.step == "sites"] == [
        "description"
    ] * 2
