"""What holds of decisions on any network, under any view."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headrace.reasons import Reason
from headrace.routing.decide import Routing
from headrace.routing.explain import Step, places
from headrace.routing.question import Decision, Question
from headrace.topology.coverage import CoverageTable
from headrace.topology.geo import NOWHERE, Place
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
from headrace.topology.reachable import reachable_sites
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View

CONTENT = ContentClass("vod", ("vod.example",))
CLIENTS = [(0x0A000000 | number << 8 | 7).to_bytes(4, "big") for number in range(6_000)]


def site_network(weights: list[float | None], orders: list[int] | None = None) -> Topology:
    """Return a site with three servers for each weight, and one coverage of all."""
    sites = tuple(Site(f"site{number}") for number in range(len(weights)))
    choices = tuple(
        SiteChoice(site.name, weight, order)
        for site, weight, order in zip(sites, weights, orders or [1] * len(weights), strict=True)
    )
    servers = tuple(
        Server(f"{site.name}-{number}", site.name, f"{site.name}-{number}.example")
        for site in sites
        for number in range(3)
    )
    coverage = Coverage("all", choices, prefixes=PrefixSet.of(["10.0.0.0/8"]))
    return Topology((), sites, servers, (coverage,), (CONTENT,))


def routing(topology: Topology, view: View = NO_VIEW) -> Routing:
    return Routing(topology, Placement(topology, view), CoverageTable(topology), None, view)


def sites_of(topology: Topology, view: View = NO_VIEW) -> list[str]:
    """Return the site of each client."""
    made = routing(topology, view)
    found = []
    for client in CLIENTS:
        first = made.decide(Question(client, CONTENT, b"shard", sites=1)).first
        assert first is not None
        found.append(first.site.name)
    return found


def failed(topology: Topology, *sites: str) -> View:
    """Return a view in which all servers of these sites failed."""
    return View(
        servers={
            server.name: ServerView(ServerState.FAILED)
            for server in topology.servers
            if server.site in sites
        }
    )


@pytest.mark.parametrize("weights", [[1.0, 1.0], [3.0, 1.0], [5.0, 3.0, 2.0], [0.5, 8.0, 1.5, 0.0]])
def test_sites_share_clients_by_weight(weights: list[float]) -> None:
    counts = Counter(sites_of(site_network(list(weights))))
    for number, weight in enumerate(weights):
        share = counts[f"site{number}"] / len(CLIENTS)
        assert share == pytest.approx(weight / sum(weights), abs=0.02)


def test_without_weights_sites_share_by_capacity() -> None:
    topology = site_network([None, None])
    grown = replace(
        topology,
        servers=tuple(
            replace(server, capacity_bps=server.capacity_bps * (3 if server.site == "site0" else 1))
            for server in topology.servers
        ),
    )
    assert Counter(sites_of(grown))["site0"] / len(CLIENTS) == pytest.approx(0.75, abs=0.02)


def test_a_heavier_site_only_takes_clients_and_no_more_than_it_must() -> None:
    before = sites_of(site_network([1.0, 1.0, 1.0, 1.0]))
    after = sites_of(site_network([1.0, 1.0, 1.0, 2.0]))
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {new for _, new in moved} == {"site3"}
    # It had 1/4 and has 2/5.
    assert len(moved) / len(CLIENTS) == pytest.approx(2 / 5 - 1 / 4, abs=0.02)


def test_the_weights_of_a_view_replace_those_of_the_description() -> None:
    topology = site_network([1.0, 1.0])
    view = View(coverage={"all": {"site0": 3.0, "site1": 1.0}})
    assert Counter(sites_of(topology, view))["site0"] / len(CLIENTS) == pytest.approx(
        0.75, abs=0.01
    )


def test_only_the_clients_of_a_failed_site_move() -> None:
    topology = site_network([1.0, 2.0, 3.0])
    before = sites_of(topology)
    after = sites_of(topology, failed(topology, "site1"))
    for old, new in zip(before, after, strict=True):
        assert new == old if old != "site1" else new in ("site0", "site2")
    gone = Counter(new for old, new in zip(before, after, strict=True) if old == "site1")
    assert gone["site2"] / gone.total() == pytest.approx(0.75, abs=0.02)


def test_a_fallback_is_who_serves_for_another() -> None:
    topology = site_network([1.0])
    question = Question(CLIENTS[0], CONTENT, b"shard")
    usual = routing(topology).decide(question)
    assert not usual.fallback
    first, second = places(usual.candidates)[:2]
    for name, fallback in ((first, True), (second, False)):
        view = View(servers={name: ServerView(ServerState.FAILED)})
        decision = routing(topology, view).decide(question)
        assert decision.fallback is fallback
        assert places(decision.candidates)[0] == (second if fallback else first)
    withdrawn = replace(
        topology,
        servers=tuple(
            replace(one, state=AdminState.WITHDRAWN) if one.name == first else one
            for one in topology.servers
        ),
    )
    assert not routing(withdrawn).decide(question).fallback


def test_where_all_serve_the_first_choice_is_said_at_once() -> None:
    made = routing(site_network([1.0, 2.0]))
    for shard in (b"", b"shard"):
        first = made.first(Question(CLIENTS[0], CONTENT, shard))
        assert first is not None
        assert first.candidates == made.decide(Question(CLIENTS[0], CONTENT, shard)).candidates[:1]


def test_a_later_order_serves_only_when_no_earlier_one_can() -> None:
    topology = site_network([1.0, 1.0, 1.0], [1, 1, 2])
    assert set(sites_of(topology)) == {"site0", "site1"}
    assert set(sites_of(topology, failed(topology, "site0"))) == {"site1"}
    assert set(sites_of(topology, failed(topology, "site0", "site1"))) == {"site2"}


def test_a_site_of_weight_0_serves_when_no_other_can() -> None:
    topology = site_network([1.0, 0.0])
    decision = routing(topology, failed(topology, "site0")).decide(
        Question(CLIENTS[0], CONTENT, b"shard")
    )
    assert decision.first is not None
    assert decision.first.site.name == "site1"
    assert decision.first.spare
    assert decision.fallback


def test_who_holds_a_wide_shard_shares_its_clients() -> None:
    topology = site_network([1.0])
    view = View(widths={"vod": {"shard": 2}})
    made = routing(topology, view)
    counts: Counter[str] = Counter()
    for client in CLIENTS:
        decision = made.decide(Question(client, CONTENT, b"shard"))
        counts[places(decision.candidates)[0]] += 1
        assert decision.prefix_length == 24
    assert len(counts) == 2
    assert min(counts.values()) / len(CLIENTS) == pytest.approx(0.5, abs=0.02)


# Any network, any view.

_NAMES = [f"s{number}" for number in range(5)]
_weights = st.none() | st.sampled_from((0.0, 0.1, 1.0, 3.0, 100.0))
_places = st.builds(
    Place,
    st.sampled_from(("", "NO", "IT")),
    st.sampled_from(("", "EU")),
    *[st.none() | st.integers(-90, 90).map(float)] * 2,
)


@st.composite
def networks(draw: st.DrawFn) -> Topology:
    """Draw a network with up to four edge sites and two external ones."""
    sites = [
        Site(
            name,
            network=draw(st.sampled_from(("", "isp"))),
            country=draw(st.sampled_from(("", "NO", "IT"))),
            continent=draw(st.sampled_from(("", "EU"))),
            latitude=draw(st.none() | st.just(45.0)),
            longitude=draw(st.none() | st.just(9.0)),
        )
        for name in draw(st.lists(st.sampled_from(_NAMES), max_size=4, unique=True))
    ]
    sites += [
        Site(f"x{number}", SiteKind.EXTERNAL, base_url=f"https://x{number}.example")
        for number in range(draw(st.integers(0, 2)))
    ]
    servers = [
        Server(
            f"{site.name}-{number}",
            site.name,
            f"{site.name}-{number}.example",
            http_port=draw(st.sampled_from((None, 80))),
            https_port=draw(st.sampled_from((None, 443))),
            state=draw(st.sampled_from(AdminState)),
        )
        for site in sites
        if site.kind is SiteKind.EDGE
        for number in range(draw(st.integers(0, 3)))
    ]
    names = [site.name for site in sites]
    coverage = []
    for number in range(draw(st.integers(0, 3)) if names else 0):
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
        coverage.append(
            Coverage(
                f"c{number}",
                tuple(SiteChoice(name, draw(_weights), draw(st.integers(1, 2))) for name in chosen),
                prefixes=PrefixSet.of(draw(st.sampled_from(([], ["10.0.0.0/8"], ["10.1.0.0/25"])))),
                default=number == 0 and draw(st.booleans()),
            )
        )
    content = replace(CONTENT, external=draw(st.booleans()), replicas=draw(st.sampled_from((1, 2))))
    return Topology((), tuple(sites), tuple(servers), tuple(coverage), (content,))


@st.composite
def views(draw: st.DrawFn, topology: Topology) -> View:
    """Draw what may be known of a network, of names that it has not too."""
    servers = [server.name for server in topology.servers] + ["nobody"]
    coverage = [one.name for one in topology.coverage] + ["nothing"]
    sites = [site.name for site in topology.sites] + ["nowhere"]
    weights = st.sampled_from((0.0, 0.5, 2.0))
    return View(
        servers={
            name: ServerView(draw(st.sampled_from(ServerState)))
            for name in draw(st.lists(st.sampled_from(servers), unique=True))
        },
        coverage={
            name: {site: draw(weights) for site in draw(st.lists(st.sampled_from(sites)))}
            for name in draw(st.lists(st.sampled_from(coverage), unique=True))
        },
        widths={"vod": {"shard": draw(st.integers(1, 4))}},
        by_class={
            content: {
                name: {site: draw(weights) for site in draw(st.lists(st.sampled_from(sites)))}
                for name in draw(st.lists(st.sampled_from(coverage), unique=True))
            }
            for content in draw(st.lists(st.sampled_from(["vod", "none"]), unique=True))
        },
    )


class Everywhere:
    """A geographic file that has one place for all."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def place(self, _client: bytes) -> tuple[Place, int]:
        return self._place, 8


_clients = st.none() | st.sampled_from(
    [IPv4Address(text).packed for text in ("10.1.0.1", "10.1.0.200", "10.9.9.9", "192.0.2.1")]
    + [bytes(16), b"\x20\x01" + bytes(14)]
)


@given(st.data())
@settings(max_examples=120)
def test_whatever_the_network_and_its_state(data: st.DataObject) -> None:
    topology = data.draw(networks())
    view = data.draw(views(topology))
    geo = data.draw(st.none() | _places.map(Everywhere))
    content = topology.classes[0]
    names = [server.name for server in topology.servers] + [site.name for site in topology.sites]
    question = Question(
        data.draw(_clients),
        content,
        data.draw(st.sampled_from((b"shard", b""))),
        data.draw(st.sampled_from((None, True, False))),
        frozenset(data.draw(st.lists(st.sampled_from([*names, "?"]), max_size=3))),
        data.draw(st.sampled_from((1, 3))),
    )
    table = CoverageTable(topology)
    made = Routing(topology, Placement(topology, view), table, geo, view)
    steps: list[Step] = []
    decision = made.decide(question, steps)

    # The same again, remembered, without memory, and by another process.
    assert made.decide(question) == decision
    assert (
        Routing(topology, Placement(topology, view), table, geo, view).decide(question) == decision
    )
    assert steps[-1].values["candidates"] == places(decision.candidates)
    _check_first(made, question, decision)
    _check_candidates(decision, question, topology, view)
    _check_states(decision, question, topology, view)


def _check_first(made: Routing, question: Question, decision: Decision) -> None:
    """What can be said at once is the beginning of the decision."""
    first = made.first(question)
    assert first is None or first == msgspec.structs.replace(
        decision, candidates=decision.candidates[:1]
    )


def _check_candidates(
    decision: Decision, question: Question, topology: Topology, view: View
) -> None:
    """Nobody is named who must not be, or twice."""
    names = places(decision.candidates)
    assert len(set(names)) == len(names)
    for candidate in decision.candidates:
        if candidate.server is None:
            assert candidate.site.kind is SiteKind.EXTERNAL
            assert question.content.external
            continue
        assert candidate.server.site == candidate.site.name
        assert candidate.server.state is not AdminState.WITHDRAWN
        seen = view.servers.get(candidate.server.name, ServerView())
        assert seen.state is not ServerState.FAILED
        if question.secure is not None:
            port = candidate.server.https_port if question.secure else candidate.server.http_port
            assert port is not None
    if question.client is None:
        assert decision.prefix_length == 0
    else:
        assert 0 <= decision.prefix_length <= 8 * len(question.client)
    if decision.reason is Reason.BY_COVERAGE and question.client is not None:
        coverage = next(one for one in topology.coverage if one.name == decision.coverage)
        sites = {site.name: site for site in topology.sites}
        listed = {each.site.name for each in reachable_sites(coverage, sites)}
        inside = [each for each in decision.candidates if each.server is not None]
        assert all(each.site.name in listed for each in inside)


def _check_states(decision: Decision, question: Question, topology: Topology, view: View) -> None:
    """Who takes no new clients, or is to be avoided, comes last; nobody is sent away in vain."""
    spare = [each.spare for each in decision.candidates]
    assert spare == sorted(spare)
    for candidate in decision.candidates:
        if candidate.server is None or candidate.spare:
            continue
        seen = view.servers.get(candidate.server.name, ServerView())
        assert seen.state is ServerState.ONLINE
        assert candidate.server.state is AdminState.ONLINE
        assert not question.avoid & {candidate.server.name, candidate.site.name}
    assert (decision.reason is Reason.NO_SERVER) == (not decision.candidates)
    if not decision.candidates and question.content.external:
        assert all(site.kind is not SiteKind.EXTERNAL for site in topology.sites)


@given(st.data())
@settings(max_examples=50)
def test_all_clients_of_the_prefix_get_the_same(data: st.DataObject) -> None:
    topology = data.draw(networks())
    client = data.draw(_clients)
    assume(client is not None)
    assert client is not None
    made = routing(topology)
    question = Question(client, topology.classes[0], data.draw(st.sampled_from((b"shard", b""))))
    decision = made.decide(question)
    bits = 8 * len(client)
    host = (1 << (bits - decision.prefix_length)) - 1
    other = (int.from_bytes(client, "big") & ~host) | data.draw(st.integers(0, host))
    assert made.decide(_by_client(question, other.to_bytes(len(client), "big"))) == decision


def _by_client(question: Question, client: bytes) -> Question:
    return Question(client, question.content, question.shard)


def test_the_place_of_a_client_comes_before_weights() -> None:
    sites = (
        Site("oslo", country="NO", continent="EU", latitude=59.9, longitude=10.7),
        Site("rome", country="IT", continent="EU", latitude=41.9, longitude=12.5),
        Site("milan", country="IT", continent="EU", latitude=45.5, longitude=9.2),
        Site("miami", country="US", continent="NA", latitude=25.8, longitude=-80.2),
    )
    servers = tuple(Server(site.name[0], site.name, f"{site.name}.example") for site in sites)
    topology = Topology((), sites, servers, (), (CONTENT,))

    def order(place: Place) -> tuple[list[str], Reason]:
        made = Routing(
            topology, Placement(topology), CoverageTable(topology), Everywhere(place), NO_VIEW
        )
        decision = made.decide(Question(CLIENTS[0], CONTENT, b"shard"))
        return [each.site.name for each in decision.candidates], decision.reason

    naples = Place("IT", "EU", 40.8, 14.3)
    assert order(naples) == (["rome", "milan", "oslo"], Reason.BY_COUNTRY)
    assert order(Place("FR", "EU", 48.9, 2.4)) == (["milan", "rome", "oslo"], Reason.BY_CONTINENT)
    assert order(Place("", "", 20.0, -80.0))[0][0] == "miami"
    assert order(Place("", "", 20.0, -80.0))[1] is Reason.BY_DISTANCE
    assert order(Place("IT"))[1] is Reason.BY_COUNTRY
    assert order(NOWHERE)[1] is Reason.BY_DEFAULT
