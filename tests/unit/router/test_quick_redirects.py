"""However a redirect is found (worked out, by shard alone, sent before), it is the decision's."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.http.server.head_cache import HeadCache
from headrace.router.clients import packed_address
from headrace.router.places import base_url
from headrace.routing.question import Question
from headrace.topology.model import AdminState, ContentClass, Topology
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.memory_router import NORTH, NOWHERE, SOUTH, MemoryRouter, memory_router
from tests.harness.networks import two_sites

HOST = "vod.example"
TARGETS = (
    "/film/v1/1.m4s",
    "/film/v1/2.m4s?t=1",
    "/film/v2/1.m4s",
    "/",
    "/a;b",
    "/%2f/x",
    "/news/1",
)
PATTERN = re.compile("/(?P<programme>[^/]+)/(?P<version>[^/]+)/")
CLASSES = st.sampled_from(
    [
        (ContentClass("vod", (HOST,)),),
        (ContentClass("vod", (HOST,), replicas=2),),
        (ContentClass("vod", (HOST,), shard_pattern=PATTERN, shard_key="{programme}/{version}"),),
        (ContentClass("vod", (HOST,), shard_pattern=PATTERN, shard_key="{version}"),),
        (ContentClass("news", (HOST,), paths=("/news/*",)), ContentClass("rest", external=False)),
    ]
)
ASKED = st.tuples(
    st.sampled_from((NORTH, SOUTH, NOWHERE)),
    st.sampled_from(TARGETS),
    st.sampled_from((None, (HOST,))),  # without TLS, with
    st.sampled_from(("GET", "HEAD")),
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Topology, View]:
    topology = two_sites(3)
    states = st.sampled_from([AdminState.ONLINE] * 4 + [AdminState.DRAINING, AdminState.WITHDRAWN])
    servers = tuple(replace(one, state=draw(states)) for one in topology.servers)
    seen = {
        one.name: ServerView(draw(st.sampled_from(ServerState)), draw(st.sampled_from((1.0, 0.3))))
        for one in servers
        if draw(st.integers(0, 3)) == 0
    }
    classes = draw(CLASSES)
    demand = {classes[0].name: {"film/v1": 0.6, "/film/v1/1.m4s": 0.3}}
    widths = {classes[0].name: {"film/v2": 2}}
    view = View(
        servers=seen,
        demand=demand if draw(st.booleans()) else {},
        widths=widths if draw(st.booleans()) else {},
    )
    return replace(topology, servers=servers, classes=classes), view


def expected(router: MemoryRouter, client: str, target: str, *, secure: bool) -> str | None:
    """Return where a decision that remembers nothing sends a client."""
    network = router.context.network
    found = network.classes.of(HOST.encode(), target.partition("?")[0].encode())
    assert found is not None
    address = packed_address(client.encode())
    question = Question(address, found.content, found.shard, True if secure else None, sites=1)
    for candidate in network.decide(question).candidates:
        base = base_url(candidate, found.content, secure=secure)
        if base is not None:
            return base + target
    return None


@given(networks(), st.lists(ASKED, min_size=1, max_size=12), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_each_way_leads_where_the_decision_says(
    network: tuple[Topology, View],
    asked: list[tuple[str, str, tuple[str, ...] | None, str]],
    times: int,
) -> None:
    router = memory_router(network[0])
    router.adopt(*network)
    for client, target, covers, method in asked * times:
        answer = router.ask(target, client=client, covers=covers, method=method)
        secure = covers is not None
        assert answer.fields.get("location") == expected(router, client, target, secure=secure)
    assert sum(router.snapshot().labelled["routed_classes"].values()) == len(asked) * times


@given(networks(), networks(), st.lists(ASKED, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_nothing_of_another_network_is_followed(
    former: tuple[Topology, View],
    network: tuple[Topology, View],
    asked: list[tuple[str, str, tuple[str, ...] | None, str]],
) -> None:
    router = memory_router(former[0])
    router.adopt(*former)
    for client, target, covers, method in asked * 4:
        router.ask(target, client=client, covers=covers, method=method)
    router.adopt(*network)
    for client, target, covers, method in asked * 4:
        answer = router.ask(target, client=client, covers=covers, method=method)
        secure = covers is not None
        assert answer.fields.get("location") == expected(router, client, target, secure=secure)


def test_heavy_and_wide_shards_are_not_taken_for_light_ones() -> None:
    """Of those on one arc with them, or first held by one server with them."""
    shards = [f"film{number}/v1" for number in range(60)]
    content = ContentClass("vod", (HOST,), shard_pattern=PATTERN, shard_key="{programme}/{version}")
    topology = replace(two_sites(3), classes=(content,))
    for view in (
        View(widths={"vod": dict.fromkeys(shards[::2], 2)}),
        View(demand={"vod": dict.fromkeys(shards[::2], 0.02)}),
        View(
            widths={"vod": dict.fromkeys(shards[::4], 3)},
            demand={"vod": dict.fromkeys(shards[::2], 0.02)},
        ),
    ):
        router = memory_router(topology, view)
        for _time in range(3):
            for client in (NORTH, SOUTH, "192.0.2.99", NOWHERE):
                for shard in shards:
                    target = f"/{shard}/1.m4s"
                    found = router.ask(target, client=client).fields["location"]
                    assert found == expected(router, client, target, secure=False)


@given(networks(), st.lists(ASKED, min_size=1, max_size=8), st.sampled_from(("", "http", "https")))
@settings(max_examples=40, deadline=None)
def test_whom_a_proxy_speaks_for_is_sent_where_it_would_be_sent_itself(
    network: tuple[Topology, View],
    asked: list[tuple[str, str, tuple[str, ...] | None, str]],
    proto: str,
) -> None:
    router = memory_router(network[0], trusted_proxies=["198.51.100.0/24"])
    router.adopt(*network)
    for client, target, covers, method in asked * 3:
        fields = [("X-Forwarded-For", client)]
        fields += [("X-Forwarded-Proto", proto)] if proto else []
        answer = router.ask(target, *fields, client="198.51.100.1", covers=covers, method=method)
        secure = proto == "https" if proto else covers is not None
        assert answer.fields.get("location") == expected(router, client, target, secure=secure)


def test_the_ways_are_taken() -> None:
    """Or the others here would say nothing of them."""
    router = memory_router()
    for number in range(3):
        router.ask(f"/{number}")
    (asker,) = router.context.askers[0].entries.values()
    assert asker.straight is not None
    assert asker.straight.made
    for _ in range(3):
        router.ask("/1")
    assert router.context.sent[0].entries
    assert isinstance(router.heads, HeadCache)
    assert router.heads.exact
