"""Which servers hold a shard, under a description and a view."""

from __future__ import annotations

from dataclasses import replace

from headrace.topology.model import AdminState, ContentClass, Topology
from headrace.topology.placement import Placement
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.networks import two_sites

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


def test_a_site_without_servers_has_no_owners() -> None:
    placement = Placement(two_sites())
    for site in ("elsewhere", "nowhere"):
        owners = placement.owners(site, ALL, b"/a")
        assert (owners.servers, owners.width) == ((), 0)
    assert Placement(Topology()).owners("north", ALL, b"/a").servers == ()
