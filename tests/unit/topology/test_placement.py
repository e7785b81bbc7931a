"""Which servers hold a shard, under a description and a view."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from headrace.topology.model import AdminState, ContentClass, Site, Topology
from headrace.topology.placement import FALLBACKS, Placement, SitePlacement
from headrace.topology.placement_site import SiteRing, Standing
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.networks import a_server, two_sites

ALL = ContentClass("all")
SHARDS = [b"/film/%d" % number for number in range(500)]


def names(placement: Placement, shard: bytes, content: ContentClass = ALL) -> list[str]:
    return [server.name for server in placement.owners("north", content, shard).servers]


def test_a_shard_has_one_owner_and_distinct_fallbacks() -> None:
    placement = Placement(two_sites(8))
    for shard in SHARDS:
        found = names(placement, shard)
        assert len(set(found)) == len(found) == 5
    assert {names(placement, shard)[0] for shard in SHARDS} == {f"n{n}" for n in range(1, 9)}


def test_replicas_and_widths_say_how_many_hold_it() -> None:
    content = ContentClass("wide", replicas=2)
    view = View(widths={"wide": {"/film/1": 4}})
    placement = Placement(two_sites(8), view)
    assert placement.owners("north", content, b"/film/0").width == 2
    assert placement.owners("north", content, b"/film/1").width == 4


def test_a_failed_server_is_left_out_and_moves_no_other_shard() -> None:
    before = Placement(two_sites(8))
    after = Placement(two_sites(8), View(servers={"n3": ServerView(ServerState.FAILED)}))
    for shard in SHARDS:
        was, now = names(before, shard), names(after, shard)
        assert "n3" not in now
        assert was[0] in (now[0], "n3")


def test_a_draining_server_comes_last() -> None:
    topology = two_sites(3)
    servers = tuple(
        replace(server, state=AdminState.DRAINING) if server.name == "n2" else server
        for server in topology.servers
    )
    placement = Placement(replace(topology, servers=servers))
    assert all(names(placement, shard)[-1] == "n2" for shard in SHARDS)


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View(servers={"n3": ServerView(ServerState.FAILED), "n7": ServerView(ServerState.FULL)}),
        View(servers={"n5": ServerView(ServerState.ONLINE, 0.3)}),
    ],
)
@pytest.mark.parametrize("replicas", [1, 3])
def test_answers_are_those_of_the_ring_walked_step_by_step(view: View, replicas: int) -> None:
    content = ContentClass("all", replicas=replicas)
    placement = Placement(two_sites(12), view)
    placed = placement.site("north")
    assert placed is not None
    standings, servers = placed.conditions.standings, placed.ring.servers
    find = placement.finder("north", content)
    for _time in range(2):
        for shard in SHARDS:
            met = list(placed.ring.order(placed.ring.ring.arc_of(shard), placed.arcs))
            good = [number for number in met if standings[number] is Standing.USABLE]
            expected = tuple([servers[number] for number in good[: replicas + FALLBACKS]])
            assert placement.owners("north", content, shard) == (expected, replicas)
            assert find(shard) == (expected, replicas)


def test_an_arc_is_as_straight_as_the_arcs_from_it_on_differ() -> None:
    site = SiteRing(two_sites(6).servers_of("north"))
    homes = list(site.ring.homes)
    crooked = 0
    for arc, straight in enumerate(site.straight):
        if homes[arc] != site.arcs.holders[arc]:
            assert straight == 0
            crooked += 1
            continue
        row = homes[arc : arc + straight]
        assert len(set(row)) == len(row) == straight
        assert arc + straight == len(homes) or homes[arc + straight] in row
        assert site.homes[arc] is site.servers[homes[arc]]
    assert 0 < crooked < len(homes)


def test_a_site_without_servers_has_no_owners() -> None:
    placement = Placement(two_sites())
    for site in ("elsewhere", "nowhere"):
        owners = placement.owners(site, ALL, b"/a")
        assert (owners.servers, owners.width) == ((), 0)
    assert Placement(Topology()).owners("north", ALL, b"/a").servers == ()


def a_hundred_sites(servers_each: int = 2) -> Topology:
    names = [f"site{number}" for number in range(100)]
    return Topology(
        sites=tuple(map(Site, names)),
        servers=tuple(
            a_server(f"{site}-{number}", site, number)
            for site in names
            for number in range(servers_each)
        ),
        classes=(ALL,),
    )


def test_a_new_view_is_worked_out_only_for_sites_that_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topology = a_hundred_sites()
    placement = Placement(topology)
    placement.prepare()
    made: list[SiteRing] = []
    init = SitePlacement.__init__

    def counted(self: SitePlacement, ring: SiteRing, *more: Any) -> None:
        made.append(ring)
        init(self, ring, *more)

    monkeypatch.setattr(SitePlacement, "__init__", counted)
    for version in range(1, 6):
        states = {one.name: ServerView(weight=1 / (version + 1)) for one in topology.servers}
        placement = Placement(topology, View(version, servers=states), placement)
    assert made == []
    placement.owners("site7", ALL, b"/a")
    assert [ring.servers[0].site for ring in made] == ["site7"]


def test_what_comes_of_many_views_is_what_comes_of_the_last() -> None:
    topology = a_hundred_sites(5)
    shards = [f"/{number}".encode() for number in range(50)]
    placement = Placement(topology)
    for version in range(1, 8):
        servers = {
            one.name: ServerView(
                ServerState.FAILED if (number * version) % 11 == 0 else ServerState.ONLINE,
                1 / (1 + (number + version) % 3),
            )
            for number, one in enumerate(topology.servers)
        }
        widths = {"all": {"/3": 2 + version % 2, "/4": 2}}
        view = View(version, servers=servers, widths=widths)
        placement = Placement(topology, view, placement)
        fresh = Placement(topology, view)
        for site in (f"site{number}" for number in range(0, 40, version)):
            for shard in shards:
                assert placement.owners(site, ALL, shard) == fresh.owners(site, ALL, shard)


def test_the_widths_of_a_view_are_not_kept_for_each_site() -> None:
    topology = a_hundred_sites()
    widths = {f"/{number}": 2 for number in range(20_000)}
    former = Placement(topology)
    former.prepare()
    tracemalloc.start()
    try:
        placement = Placement(topology, View(1, widths={"all": widths}), former)
        placement.prepare()
        for number in range(2_000):
            placement.owners("site1", ALL, f"/{number}".encode())
        kept_bytes, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 4 * 1024 * 1024
    assert placement.owners("site1", ALL, b"/7").width == 2
