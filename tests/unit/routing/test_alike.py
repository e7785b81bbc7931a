"""Clients who are told to be alike get the same decision, on any network, under any view."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.routing.alike import DECIDE, MOST_ALIKE, AlikeNetworks
from headrace.routing.decide import Routing
from headrace.routing.question import MOST_SITES, Question
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import (
    AdminState,
    ContentClass,
    Coverage,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    Topology,
)
from headrace.topology.placement import Placement
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View

NETWORKS = [bytes((10, number >> 4, (number & 15) << 4)) for number in range(96)]
NETWORKS += [bytes((0x20, 1, 0xD, 0xB8, number >> 4, (number & 15) << 4)) for number in range(64)]
ALL_WELL = ServerState.ONLINE


@st.composite
def networks(draw: st.DrawFn) -> tuple[Topology, View]:
    """Return up to four sites, of which two coverages name some, and what is known of servers."""
    sites = [Site(f"site{number}") for number in range(draw(st.integers(1, 4)))]
    servers = tuple(
        Server(
            f"{site.name}-{number}",
            site.name,
            f"{site.name}-{number}.example",
            http_port=draw(st.sampled_from([80, 80, 80, None])),
            https_port=draw(st.sampled_from([443, 443, 443, None])),
            state=draw(st.sampled_from([AdminState.ONLINE] * 6 + [AdminState.DRAINING])),
        )
        for site in sites
        for number in range(draw(st.integers(0, 5)))
    )
    sites.append(Site("other", SiteKind.EXTERNAL, base_url="https://other.example"))
    choices = st.lists(
        st.builds(
            SiteChoice,
            st.sampled_from([site.name for site in sites]),
            st.sampled_from([None, 0.0, 1.0, 3.0]),
            st.sampled_from([1, 1, 2]),
        ),
        min_size=1,
        unique_by=lambda choice: choice.site,
    )
    coverage = (
        Coverage(
            "half", tuple(draw(choices)), prefixes=PrefixSet.of(["10.0.0.0/14", "2001:db8::/34"])
        ),
        Coverage(
            "some",
            tuple(draw(choices)),
            prefixes=PrefixSet.of(["10.0.32.0/27", "2001:db8:20::/60"]),
        ),
        Coverage("others", tuple(draw(choices)), default=True),
    )
    content = ContentClass(
        "vod",
        ("vod.example",),
        replicas=draw(st.sampled_from([1, 1, 1, 2])),
        external=draw(st.booleans()),
    )
    states = {
        server.name: ServerView(
            draw(st.sampled_from([ALL_WELL] * 6 + list(ServerState))),
            draw(st.sampled_from([1.0, 1.0, 0.5])),
        )
        for server in servers
        if draw(st.booleans())
    }
    weights = {
        each.name: {choice.site: draw(st.sampled_from([0.0, 1.0, 2.0])) for choice in each.sites}
        for each in coverage
        if draw(st.booleans())
    }
    view = View(servers=states, coverage=weights)
    return Topology((), tuple(sites), servers, coverage, (content,)), view


def routing(topology: Topology, view: View) -> Routing:
    return Routing(topology, Placement(topology, view), CoverageTable(topology), None, view)


def client_of(network: bytes) -> bytes:
    """Return the first address of a network."""
    return network + bytes((4 if len(network) == 3 else 16) - len(network))


def finder(made: Routing, content: ContentClass, most: int) -> AlikeNetworks:
    """Return what tells networks that are alike, which there must be."""
    found = made.alike(content, most)
    assert found is not None
    return found


@given(networks(), st.integers(1, MOST_ALIKE), st.sampled_from([1, MOST_SITES]))
@settings(max_examples=200, deadline=None)
def test_who_is_alike_gets_the_same_first_candidates(
    network: tuple[Topology, View], most: int, sites: int
) -> None:
    topology, view = network
    (content,) = topology.classes
    made = routing(topology, view)
    alike = made.alike(content, most)
    if alike is None:
        assert content.replicas > 1
        return
    answers: dict[tuple[int, int], set[object]] = defaultdict(set)
    for asked in NETWORKS:
        found = alike.find(asked)
        assert found == alike.find(asked)
        if found == DECIDE:
            continue
        decision = made.decide(Question(client_of(asked), content, sites=sites))
        first = decision.candidates[0]
        named = [
            each.server.name
            for each in decision.candidates
            if each.server is not None and each.site is first.site and each.spare == first.spare
        ][:most]
        assert decision.prefix_length == 8 * len(asked)
        said = (first.site.name, decision.reason, decision.fallback, *named)
        answers[len(asked), found].add(said)
    assert all(len(said) == 1 for said in answers.values())


@given(networks(), st.integers(1, MOST_ALIKE))
@settings(max_examples=50, deadline=None)
def test_a_network_of_which_parts_are_covered_apart_is_decided_for(
    network: tuple[Topology, View], most: int
) -> None:
    topology, view = network
    alike = routing(topology, view).alike(topology.classes[0], most)
    if alike is not None:
        assert alike.find(bytes((10, 0, 32))) == DECIDE
        assert alike.find(bytes((0x20, 1, 0xD, 0xB8, 0, 0x20))) == DECIDE


def one_site(count: int = 4, **more: Any) -> Topology:
    """Return a site that has all clients, and one class."""
    servers = tuple(Server(f"n{n}", "north", f"n{n}.example") for n in range(count))
    coverage = Coverage("all", (SiteChoice("north"),), default=True)
    content = ContentClass("vod", ("vod.example",), **more)
    return Topology((), (Site("north"),), servers, (coverage,), (content,))


@pytest.mark.parametrize(("most", "expected"), [(1, 4), (2, 4 * 3), (3, 4 * 3 * 2)])
def test_many_clients_of_a_site_are_alike(most: int, expected: int) -> None:
    topology = one_site()
    alike = finder(routing(topology, NO_VIEW), topology.classes[0], most)
    found = {alike.find(bytes((20, number >> 8, number & 255))) for number in range(2_000)}
    assert DECIDE not in found
    assert len(found) == expected


@pytest.mark.parametrize("state", [ServerState.FAILED, ServerState.DRAINING, ServerState.FULL])
def test_where_a_server_fails_those_of_an_arc_are_alike(state: ServerState) -> None:
    topology = one_site()
    placement = Placement(topology)
    placed = placement.site("north")
    assert placed is not None
    alike = finder(
        routing(topology, View(servers={"n1": ServerView(state)})), topology.classes[0], 2
    )
    found: dict[int, set[int]] = defaultdict(set)
    for number in range(2_000):
        network = bytes((20, number >> 8, number & 255))
        found[alike.find(network)].add(placed.ring.ring.arc_of(network + b"\0vod"))
    assert DECIDE not in found
    assert all(len(arcs) == 1 for arcs in found.values())


def test_of_those_who_hold_it_together_each_network_has_its_own_first() -> None:
    topology = one_site(replicas=2)
    assert routing(topology, NO_VIEW).alike(topology.classes[0], 2) is None


def test_where_a_view_speaks_of_what_stands_for_a_network_it_is_decided() -> None:
    topology = one_site()
    (content,) = topology.classes
    for shard, told in (("\x14\0\0\0vod", False), ("/some/path", True)):
        for view in (View(demand={"vod": {shard: 0.5}}), View(widths={"vod": {shard: 2}})):
            assert (routing(topology, view).alike(content, 2) is not None) == told
