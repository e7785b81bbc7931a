"""A compiled description says what it was made of, or is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.topology import ring_bytes
from headrace.topology.model import ContentClass, Server, Topology, Widening
from headrace.topology.placement import Placement
from headrace.topology.placement_site import SiteRing
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.snapshot import check, decode, encode, topology_of, version_of
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from headrace.topology.vips import Vip
from tests.harness.networks import two_sites

CLASS = ContentClass(
    "vod",
    ("vod.example",),
    shard_pattern=re.compile("/(?P<programme>[^/]+)/", re.ASCII),
    widening=Widening(most=4),
)
NETWORK = replace(
    two_sites(),
    classes=(CLASS,),
    servers=tuple(
        replace(
            one,
            ipv6=(IPv6Address("2001:db8::1"),),
            vips=(Vip(IPv4Address("192.0.2.1")), Vip(ipv6=IPv6Address("2001:db8::2"))),
        )
        for one in two_sites().servers
    ),
)
DATA = encode(NETWORK)


def bare(topology: Topology) -> Topology:
    """The same without its prefixes."""
    return replace(
        topology,
        networks=tuple(replace(one, prefixes=PrefixSet()) for one in topology.networks),
        coverage=tuple(replace(one, prefixes=PrefixSet()) for one in topology.coverage),
    )


def test_it_says_what_it_was_made_of() -> None:
    check(memoryview(DATA))
    assert topology_of(memoryview(DATA)) == NETWORK
    found = decode(memoryview(DATA))
    assert found.topology == bare(NETWORK)
    assert found.version == version_of(NETWORK)


def test_its_table_covers_without_the_prefixes() -> None:
    table = decode(memoryview(DATA)).coverage
    found = [table.find(ip_address(text)).coverage for text in ("192.0.2.7", "203.0.113.7")]
    assert [one and one.name for one in found] == ["a", "b"]
    assert table.find(ip_address("2001:db8:a::1")).coverage is not None
    assert table.find(ip_address("198.18.0.1")).coverage is None


def test_an_empty_network_is_one() -> None:
    data = memoryview(encode(Topology()))
    check(data)
    assert decode(data).topology == topology_of(data) == Topology()


def test_the_version_is_that_of_the_meaning() -> None:
    other = replace(NETWORK.networks[0], prefixes=PrefixSet.of(["192.0.2.0/25"]))
    changed = replace(NETWORK, networks=(other, *NETWORK.networks[1:]))
    assert version_of(changed) != version_of(NETWORK)
    assert version_of(two_sites()) == version_of(two_sites())
    moved = replace(
        NETWORK,
        networks=tuple(
            replace(one, prefixes=PrefixSet(one.prefixes.v6, one.prefixes.v4))
            for one in NETWORK.networks
        ),
    )
    assert version_of(moved) != version_of(NETWORK)


@pytest.mark.parametrize("length", [0, 7, 8, 39, 47, 48, 60, len(DATA) // 2, len(DATA) - 1])
def test_a_torn_one_is_refused(length: int) -> None:
    torn = memoryview(DATA[:length])
    with pytest.raises(HeadraceError):
        check(torn)
    with pytest.raises(HeadraceError):
        topology_of(torn)
    with pytest.raises(HeadraceError):
        decode(torn)


def large(capacities: list[int]) -> Topology:
    """Return a network with a site of so many servers beside those of others."""
    servers = tuple(
        Server(f"large{n}", "north", f"large{n}.example", capacity_bps=capacity * 10**9)
        for n, capacity in enumerate(capacities)
    )
    return replace(NETWORK, servers=(*servers, *NETWORK.servers))


@given(st.lists(st.sampled_from([1, 10, 100]), min_size=16, max_size=24), st.randoms())
@settings(max_examples=15, deadline=None)
def test_the_rings_of_large_sites_are_those_that_a_placement_makes(
    capacities: list[int], chance: Random
) -> None:
    topology = large(capacities)
    found = decode(memoryview(encode(topology)))
    assert set(found.rings) == {"north"}
    failed = chance.choice([server.name for server in topology.servers if server.site == "north"])
    demand = {"vod": {"/a/": 0.3, "/b/": 0.2}}
    views = [
        NO_VIEW,
        View(demand=demand),
        View(servers={failed: ServerView(ServerState.FAILED)}, demand=demand),
    ]
    made, mapped = Placement(topology), Placement(found.topology, rings=found.rings)
    for view in views:
        made = Placement(topology, view, made)
        mapped = Placement(found.topology, view, mapped)
        for number in range(50):
            shard = b"/%c/" % (97 + number)
            one, other = (each.owners("north", CLASS, shard) for each in (made, mapped))
            assert [each.name for each in one.servers] == [each.name for each in other.servers]
            assert one.width == other.width


def test_rings_of_other_servers_are_refused() -> None:
    ring = ring_bytes.written(SiteRing(large([10] * 16).servers))
    for servers in (large([10] * 15 + [40]).servers, large([10] * 17).servers, ()):
        with pytest.raises(ring_bytes.BadRing):
            ring_bytes.read(servers, memoryview(ring))
    for torn in (ring[:-4], ring[:20], ring + b"\0"):
        with pytest.raises(ring_bytes.BadRing):
            ring_bytes.read(large([10] * 16).servers, memoryview(torn))


def test_a_snapshot_of_before_there_were_rings_is_read() -> None:
    old = encode(NETWORK).replace(b',"rings":[]', b"           ")
    assert b'"rings"' not in old
    assert decode(memoryview(old)).topology == bare(NETWORK)


@given(st.integers(8, len(DATA) - 1), st.integers(1, 255))
@settings(max_examples=200)
def test_whatever_byte_was_changed_it_is_noticed(place: int, by: int) -> None:
    changed = bytearray(DATA)
    changed[place] ^= by
    with pytest.raises(HeadraceError):
        check(memoryview(changed))


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=200)
def test_any_bytes_are_refused_cleanly(data: bytes, begins_well: bool) -> None:
    view = memoryview(DATA[:8] + data if begins_well else data)
    for read in (check, decode, topology_of):
        with pytest.raises(HeadraceError):
            read(view)
