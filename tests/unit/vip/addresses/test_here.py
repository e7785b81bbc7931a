"""The description's addresses of a server are looked for on this machine."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from headrace.vip.addresses.here import addresses_elsewhere
from tests.unit.vip.plan.sites import a_server

HERE, AWAY = IPv4Address("127.0.0.1"), IPv4Address("192.0.2.77")
AWAY_V6 = IPv6Address("2001:db8::7")


def test_only_next_hops_count_and_only_those_that_are_missing() -> None:
    server = a_server("n1")
    assert addresses_elsewhere(None) == frozenset()
    assert addresses_elsewhere(replace(server, ipv4=(HERE, AWAY), ipv6=())) == frozenset()
    away = replace(server, ipv4=(AWAY, HERE), ipv6=(AWAY_V6,))
    assert addresses_elsewhere(away) == {AWAY, AWAY_V6}
