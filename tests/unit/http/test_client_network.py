from __future__ import annotations

from headrace.http.client_network import network_of


def test_an_ipv4_address_is_a_network_of_its_own() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"


def test_addresses_of_one_ipv6_subnet_are_one_network() -> None:
    assert network_of("2001:db8:1:2::7") == network_of("2001:db8:1:2:ffff::1")
    assert network_of("2001:db8:1:2::7") != network_of("2001:db8:1:3::7")


def test_a_mapped_address_is_the_ipv4_address() -> None:
    assert network_of("::ffff:192.0.2.7") == "192.0.2.7"


def test_what_is_no_address_is_its_own_network() -> None:
    assert network_of("unix:1") == "unix:1"
    assert network_of("") == ""
