"""The longest prefix wins: compared with a search through all of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.topology.coverage import CoverageTable, Match, client_of
from headrace.topology.coverage_bytes import BadTable
from headrace.topology.model import ClientNetwork, Coverage, SiteChoice, Topology
from headrace.topology.prefix_set import PrefixSet

Prefix = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def topology(*lists: list[str] | list[Prefix]) -> Topology:
    """Return a network with a coverage for each list of prefixes."""
    return Topology(
        coverage=tuple(
            Coverage(f"c{number}", (SiteChoice("s"),), prefixes=PrefixSet.of(prefixes))
            for number, prefixes in enumerate(lists)
        )
    )


def find(table: CoverageTable, address: str) -> tuple[str, int]:
    """Return the name of what covers an address ("": nothing) and for how long a prefix."""
    match = table.find(ip_address(address))
    return (match.coverage.name if match.coverage else "", match.prefix_length)


def plain(prefix: Prefix) -> Prefix:
    """Return an IPv4-mapped prefix as IPv4."""
    mapped = IPv6Network("::ffff:0:0/96")
    if isinstance(prefix, IPv6Network) and prefix.subnet_of(mapped):
        return IPv4Network((int(prefix.network_address) & 0xFFFFFFFF, prefix.prefixlen - 96))
    return prefix


def by_search(network: Topology, address: Address) -> Coverage | None:
    """Return what covers an address, each prefix tried."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    best: tuple[int, Coverage] | None = None
    for coverage in network.coverage:
        for prefix in map(plain, coverage.prefixes):
            if address in prefix and (best is None or prefix.prefixlen > best[0]):
                best = (prefix.prefixlen, coverage)
    return best[1] if best else None


# Few bits that differ, so that prefixes nest, touch and repeat.
_v4_numbers = st.builds(lambda head, tail: head << 29 | tail, st.integers(0, 7), st.integers(0, 7))
_v6_numbers = st.builds(
    lambda head, middle, tail: head << 124 | middle << 62 | tail,
    st.integers(0, 15),
    st.integers(0, 7),
    st.integers(0, 7),
)
_mapped_numbers = _v4_numbers.map(lambda number: 0xFFFF << 32 | number)
_v4 = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False),
    _v4_numbers,
    st.sampled_from((0, 1, 2, 3, 16, 28, 29, 30, 31, 32)),
)
_v6 = st.builds(
    lambda number, length: IPv6Network((number, length), strict=False),
    _v6_numbers | _mapped_numbers,
    st.sampled_from((0, 1, 3, 4, 63, 64, 65, 66, 96, 97, 126, 127, 128)),
)
_addresses = _v4_numbers.map(IPv4Address) | (_v6_numbers | _mapped_numbers).map(IPv6Address)
_topologies = st.lists(st.lists(_v4 | _v6, max_size=6), max_size=5).map(
    lambda lists: topology(*lists)
)


@given(_topologies, st.lists(_addresses, max_size=12))
@example(topology(["0.0.0.0/0"], ["0.0.0.0/32"], ["::/0", "::/128"]), [IPv6Address(0)])
def test_the_longest_prefix_wins(network: Topology, addresses: list[Address]) -> None:
    table = CoverageTable(network)
    mapped = CoverageTable.from_buffer(network, table.to_bytes())
    for address in addresses:
        assert table.find(address).coverage == by_search(network, address)
        assert mapped.find(address) == table.find(address)


@given(_topologies, _addresses, st.data())
def test_all_of_the_prefix_get_the_same(
    network: Topology, address: Address, data: st.DataObject
) -> None:
    table = CoverageTable(network)
    found = table.find(address)
    client = client_of(address)
    bits = len(client) * 8
    scope = ip_network((client, found.prefix_length), strict=False)
    inside = data.draw(
        st.integers(int(scope.network_address), int(scope.broadcast_address))
    ).to_bytes(len(client), "big")
    assert table.find_client(inside) == found
    if found.prefix_length == 0 or bits == 128:  # in IPv6 a search through all is too far
        return
    # One bit less would take in addresses of another range: one at its edges.
    wider = ip_network((client, found.prefix_length - 1), strict=False)
    edges = {int(wider.network_address), int(wider.broadcast_address)}
    for coverage in network.coverage:
        for prefix in map(plain, coverage.prefixes):
            if isinstance(prefix, IPv4Network):
                start, end = int(prefix.network_address), int(prefix.broadcast_address)
                edges |= {start - 1, start, end, end + 1}
    assert any(
        by_search(network, IPv4Address(edge)) != found.coverage
        for edge in edges
        if 0 <= edge < 1 << 32 and IPv4Address(edge) in wider
    )


def test_the_length_says_for_whom_an_answer_holds() -> None:
    table = CoverageTable(topology(["192.0.2.0/24", "2001:db8::/32"], ["192.0.2.128/25"]))
    assert find(table, "192.0.2.1") == ("c0", 25)
    assert find(table, "192.0.2.200") == ("c1", 25)
    assert find(table, "2001:db8::1") == ("c0", 32)
    assert find(table, "192.0.3.1") == ("", 24)
    assert find(table, "10.0.0.1") == ("", 1)
    assert find(table, "2001:db9::1") == ("", 32)


def test_neighbours_of_one_coverage_are_one_range() -> None:
    table = CoverageTable(topology(["192.0.2.0/25", "192.0.2.128/25", "192.0.2.64/26"]))
    assert find(table, "192.0.2.200") == ("c0", 24)


def test_nothing_covered_is_one_range() -> None:
    assert find(CoverageTable(topology()), "192.0.2.1") == ("", 0)
    assert find(CoverageTable(topology()), "2001:db8::1") == ("", 0)


def test_a_network_brings_its_prefixes() -> None:
    network = replace(
        topology(["192.0.2.0/24"]),
        networks=(ClientNetwork("isp", (), PrefixSet.of(["192.0.2.0/28"])),),
    )
    coverage = (*network.coverage, Coverage("isp", (SiteChoice("s"),), ("isp",)))
    table = CoverageTable(replace(network, coverage=coverage))
    assert find(table, "192.0.2.1") == ("isp", 28)
    assert find(table, "192.0.2.16") == ("c0", 28)


def test_the_same_prefix_twice_is_the_firsts() -> None:
    table = CoverageTable(topology(["192.0.2.0/24"], ["192.0.2.0/24"]))
    assert find(table, "192.0.2.1") == ("c0", 24)


def test_a_damaged_table_is_refused() -> None:
    network = topology(["192.0.2.0/24"])
    whole = CoverageTable(network).to_bytes()
    damaged = bytearray(whole)
    damaged[-1] ^= 1
    for data in (b"", whole[:20], whole[:-1], whole + b"\0", bytes(damaged), b"X" + whole[1:]):
        with pytest.raises(BadTable):
            CoverageTable.from_buffer(network, data)
    other = topology(["192.0.2.0/24"], ["198.51.100.0/24"])
    with pytest.raises(BadTable, match="another description"):
        CoverageTable.from_buffer(other, whole)


def test_a_table_reads_a_buffer_that_is_mapped() -> None:
    network = topology(["192.0.2.0/24"])
    view = memoryview(CoverageTable(network).to_bytes())
    table = CoverageTable.from_buffer(network, view)
    assert table.find(IPv4Address("192.0.2.9")) == Match(network.coverage[0], 24)
