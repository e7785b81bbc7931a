from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.model import ContentClass, Server, Site, SiteKind, Topology
from headrace.topology.tiers import MOST_HOPS, MOST_OF_A_SITE, MOST_SOURCES, Tiers, sources
from tests.harness.networks import a_server, two_sites

CLASS = ContentClass("vod")


@dataclass(frozen=True, slots=True)
class Owned:
    servers: tuple[Server, ...]
    width: int = 1


@dataclass(frozen=True, slots=True)
class Placing:
    """What one server believes: any order of a site's servers, any width."""

    of: Callable[[str], Owned]

    def owners(self, site: str, content: ContentClass, shard: bytes) -> Owned:
        return self.of(site)


def north(*names: str, width: int = 1, mid: tuple[str, ...] = ("m1",)) -> Placing:
    """Return a placement with these servers in the north, in order."""
    known = {server.name: server for server in two_sites(4).servers}

    def of(site: str) -> Owned:
        if site == "north":
            return Owned(tuple(known[name] for name in names), width)
        return Owned(tuple(known[name] for name in mid), 1)

    return Placing(of)


def ask(
    me: str, placing: Placing, *, asked_by: str | None = None, hops: int = 0,
    content: ContentClass = CLASS,
) -> Tiers:  # fmt: skip
    topology = two_sites(4)
    return sources(
        topology, placing, topology.server(me), content, b"s", asked_by_site=asked_by, hops=hops
    )


def names(tiers: Tiers) -> list[str]:
    return [server.name for server in tiers.servers]


def test_one_that_does_not_own_asks_the_owner_then_who_stands_in_then_the_parent() -> None:
    tiers = ask("n3", north("n1", "n2", "n3", "n4"))
    assert names(tiers) == ["n1", "n2", "m1"]
    assert not tiers.owns


def test_the_owner_asks_only_above_its_site() -> None:
    tiers = ask("n1", north("n1", "n2", "n3", "n4"))
    assert names(tiers) == ["m1"]
    assert tiers.owns


def test_the_one_that_stands_in_asks_the_owner_and_not_itself() -> None:
    tiers = ask("n2", north("n1", "n2", "n3", "n4"))
    assert names(tiers) == ["n1", "m1"]


def test_a_request_from_a_sibling_is_never_passed_to_a_third_one() -> None:
    tiers = ask("n3", north("n1", "n2", "n3", "n4"), asked_by="north", hops=1)
    assert names(tiers) == ["m1"]


def test_a_request_from_another_site_may_be_passed_to_the_owner_here() -> None:
    tiers = ask("n3", north("n1", "n2", "n3", "n4"), asked_by="elsewhere", hops=1)
    assert names(tiers) == ["n1", "n2", "m1"]


def test_of_several_owners_each_asker_begins_with_its_own() -> None:
    order = north("n1", "n2", "n3", "n4", width=3)
    assert names(ask("n4", order))[:-1] != []
    assert set(names(ask("n4", order))) <= {"n1", "n2", "n3", "m1"}
    firsts = set()
    topology = two_sites(4)
    for number in range(40):
        me = a_server(f"x{number}", "north", 100 + number)
        found = sources(topology, order, me, CLASS, b"s")
        firsts.add(found.servers[0].name)
    assert firsts == {"n1", "n2", "n3"}


def test_without_tiering_and_beyond_the_hops_only_origins_are_left() -> None:
    order = north("n1", "n2", "n3", "n4")
    assert names(ask("n3", order, content=replace(CLASS, tiering=False))) == []
    assert names(ask("n3", order, hops=MOST_HOPS - 1)) != []
    assert names(ask("n3", order, hops=MOST_HOPS)) == []


def test_a_server_that_the_placement_leaves_out_asks_the_owners_like_any_other() -> None:
    assert names(ask("n4", north("n1", "n2", "n3"))) == ["n1", "n2", "m1"]


def test_where_no_server_is_left_this_one_owns_the_shard() -> None:
    tiers = ask("n4", north(mid=()))
    assert tiers == Tiers((), True)


def test_what_the_real_placement_says_is_taken() -> None:
    order = north("n1", "n2", width=9)
    assert ask("n1", order).owns


@st.composite
def networks(draw: st.DrawFn) -> Topology:
    """Edge sites, and mid sites in layers: parents are in a higher layer, as checked."""
    layers = [draw(st.integers(1, 3)) for _ in range(draw(st.integers(1, 4)))]
    sites: list[Site] = []
    for layer, count in enumerate(layers):
        above = [f"s{a}.{n}" for a in range(layer + 1, len(layers)) for n in range(layers[a])]
        for number in range(count):
            parents = draw(st.lists(st.sampled_from(above), unique=True)) if above else []
            kind = SiteKind.MID if layer else SiteKind.EDGE
            sites.append(Site(f"s{layer}.{number}", kind, parents=tuple(parents)))
    servers = [
        a_server(f"{site.name}-{n}", site.name, 10 * at + n)
        for at, site in enumerate(sites)
        for n in range(draw(st.integers(0, 4)))
    ]
    return Topology((), tuple(sites), tuple(servers), (), (CLASS,))


@given(networks(), st.integers(0, 2**32))
@settings(max_examples=300)
def test_no_walk_comes_to_a_server_twice_whatever_each_server_believes(
    topology: Topology, seed: int
) -> None:
    chance = random.Random(seed)

    def believes(_me: Server) -> Placing:
        """Return a view of its own for each question: nothing that two servers agree about."""

        def of(site: str) -> Owned:
            there = [server for server in topology.servers_of(site) if chance.random() < 0.8]
            chance.shuffle(there)
            return Owned(tuple(there), chance.randint(1, 3))

        return Placing(of)

    for start in topology.servers:
        me, asked_by, path = start, None, [start.name]
        while True:
            found = sources(
                topology, believes(me), me, CLASS, b"s", asked_by_site=asked_by,
                hops=len(path) - 1,
            ).servers  # fmt: skip
            assert len(found) <= MOST_SOURCES
            assert me not in found
            for site in {server.site for server in found}:
                assert sum(server.site == site for server in found) <= MOST_OF_A_SITE
            if not found:
                break
            asked_by, me = me.site, chance.choice(found)
            assert me.name not in path
            path.append(me.name)
            assert sum(topology.server(name).site == me.site for name in path) <= 2
        assert len(path) <= MOST_HOPS + 1


@given(st.integers(0, 2**32))
@settings(max_examples=100)
def test_the_count_of_hops_ends_any_walk_even_with_a_cycle_of_parents(seed: int) -> None:
    chance = random.Random(seed)
    sites = tuple(
        Site(name, SiteKind.MID, parents=tuple(chance.sample(["a", "b", "c"], 2))) for name in "abc"
    )
    servers = tuple(
        a_server(f"{name}{n}", name, n + 10 * at) for at, name in enumerate("abc") for n in range(3)
    )
    topology = Topology((), sites, servers)

    def of(site: str) -> Owned:
        there = list(topology.servers_of(site))
        chance.shuffle(there)
        return Owned(tuple(there), 1)

    me, asked_by, hops = chance.choice(servers), None, 0
    while True:
        tiers = sources(topology, Placing(of), me, CLASS, b"s", asked_by_site=asked_by, hops=hops)
        if not tiers.servers:
            break
        asked_by, me, hops = me.site, chance.choice(tiers.servers), hops + 1
        assert hops <= MOST_HOPS
