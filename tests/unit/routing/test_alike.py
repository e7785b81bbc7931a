"""Clients who are told to be alike get the same decision, on any network, under any view."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.routing.alike import MOST_ALIKE, Alike
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

CLIENTS = [bytes((10, number >> 4, (number & 15) << 4, 7)) for number in range(96)]
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
        Coverage("half", tuple(draw(choices)), prefixes=PrefixSet.of(["10.0.0.0/14"])),
        Coverage("some", tuple(draw(choices)), prefixes=PrefixSet.of(["10.0.32.0/27"])),
        Coverage("others", tuple(draw(choices)), default=True),
    )
    content = ContentClass(
        "vod",
        ("vod.example",),
        replicas=draw(st.sampled_from([1, 1, 1, 2])),
        external=draw(st.booleans()),
    )
    states = {
        server.name: ServerView(draw(st.sampled_from([ALL_WELL] * 6 + list(ServerState))))
        for server in servers
        if draw(st.booleans())
    }
    return Topology((), tuple(sites), servers, coverage, (content,)), View(servers=states)


def routing(topology: Topology, view: View) -> Routing:
    return Routing(topology, Placement(topology, view), CoverageTable(topology), None, view)


@given(networks(), st.integers(1, MOST_ALIKE), st.sampled_from([1, MOST_SITES]))
@settings(max_examples=150, deadline=None)
def test_who_is_alike_gets_the_same_first_candidates(
    network: tuple[Topology, View], most: int, sites: int
) -> None:
    topology, view = network
    (content,) = topology.classes
    made = routing(topology, view)
    answers: dict[Alike, set[object]] = defaultdict(set)
    for client in CLIENTS:
        alike = made.alike(client, content, most)
        if alike is None:
            continue
        decision = made.decide(Question(client, content, sites=sites))
        first = decision.candidates[0]
        named = [
            each.server.name
            for each in decision.candidates
            if each.server is not None and each.site is first.site and each.spare == first.spare
        ][:most]
        assert tuple(named) == alike[2]
        assert decision.prefix_length == alike[1]
        said = (first.site.name, decision.reason, decision.fallback, decision.coverage)
        answers[alike].add(said)
    assert all(len(said) == 1 for said in answers.values())


def test_many_clients_of_a_site_are_alike() -> None:
    servers = tuple(Server(f"n{number}", "north", f"n{number}.example") for number in range(4))
    coverage = Coverage("all", (SiteChoice("north"),), default=True)
    content = ContentClass("vod", ("vod.example",))
    topology = Topology((), (Site("north"),), servers, (coverage,), (content,))
    made = routing(topology, NO_VIEW)
    clients = [bytes((20, number >> 8, number & 255, 0)) for number in range(1_000)]
    found = {made.alike(client, content, 2) for client in clients}
    assert None not in found
    assert len(found) == 4 * 3


@pytest.mark.parametrize("state", [ServerState.FAILED, ServerState.DRAINING])
def test_where_a_server_fails_each_is_decided_for(state: ServerState) -> None:
    servers = tuple(Server(f"n{number}", "north", f"n{number}.example") for number in range(4))
    coverage = Coverage("all", (SiteChoice("north"),), default=True)
    content = ContentClass("vod", ("vod.example",))
    topology = Topology((), (Site("north"),), servers, (coverage,), (content,))
    made = routing(topology, View(servers={"n1": ServerView(state)}))
    assert made.alike(CLIENTS[0], content, 2) is None
    assert routing(topology, NO_VIEW).alike(CLIENTS[0], replace(content, replicas=2), 2) is None
