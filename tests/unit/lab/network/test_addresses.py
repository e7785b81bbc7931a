"""Addresses of a lab: documentation's only, and each one once."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from headrace.lab.network.addresses import at_exchange, isp_addresses

DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_no_two_parts_have_the_same_address(count: int) -> None:
    found = [text for pair in at_exchange() for text in (pair.ipv4, pair.ipv6)]
    for isp in isp_addresses(count):
        pairs = [isp.client(number) for number in range(17)]
        pairs += [pair for number in range(16) for pair in isp.line(number)]
        found += [text for pair in pairs for text in (pair.ipv4, pair.ipv6)]
        found += [text for number in range(1, 63) for text in isp.vip(number)]
    assert len(set(found)) == len(found)
    for text in found:
        address = ip_address(text)
        assert any(address in net for net in DOCUMENTATION if net.version == address.version)


def test_both_ends_of_a_line_are_on_its_link() -> None:
    router, server = isp_addresses(2)[1].line(3)
    for one, other in zip(router.on_link, server.on_link, strict=True):
        assert ip_network(one, strict=False) == ip_network(other, strict=False)
        assert one != other


def test_vips_are_in_the_prefix_that_the_router_takes() -> None:
    isp = isp_addresses(3)[0]
    for number in (1, 62):
        v4, v6 = isp.vip(number)
        assert ip_address(v4) in isp.vips_v4
        assert ip_address(v6) in isp.vips_v6
