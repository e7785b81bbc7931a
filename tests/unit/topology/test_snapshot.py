"""A compiled description says what it was made of, or is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.topology.model import ContentClass, Topology, Widening
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.snapshot import check, decode, encode, topology_of, version_of
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
    servers=tuple(replace(one, ipv6=(IPv6Address("2001:db8::1"),)) for one in two_sites().servers),
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
