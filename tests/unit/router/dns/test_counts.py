"""Answers over DNS count among those that sent clients somewhere, as redirects do."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from headrace.topology.model import AdminState, Site, SiteKind
from tests.harness.dns_messages import Asked, query
from tests.harness.dns_server import dns_config, dns_network

NORTH, STRANGER = (IPv4Address(text).packed for text in ("192.0.2.7", "10.0.0.7"))


@pytest.mark.parametrize("udp", [True, False])
def test_each_answer_is_counted_the_first_and_those_that_are_remembered(udp: bool) -> None:
    asked = Asked()
    for _ in range(3):
        asked.raw(query("vod.example"), NORTH, udp=udp)
    asked.raw(query("vod.example", "HTTPS"), STRANGER, udp=udp)
    asked.raw(query("s1.shards.example", "AAAA"), NORTH, udp=udp)
    counted = asked.metrics
    assert counted.routed_transports == {"dns": 5}
    assert counted.routed_classes == {"vod": 4, "shards": 1}
    assert sum(counted.routed_sites.values()) == sum(counted.routed_servers.values()) == 5
    assert counted.routed_sites["north"] >= 4
    assert counted.routed_reasons["coverage"] == 4
    assert counted.routed_unknown_clients == 1
    assert counted.routed_fallbacks == 0


def test_the_server_that_is_counted_is_the_first_that_is_named() -> None:
    network = dns_network()
    asked = Asked(topology=network)
    answer = asked.ask("vod.example", client=NORTH)
    first = str(answer.answer[0][0])
    (server,) = [one.name for one in network.servers if str(one.ipv4[0]) == first]
    assert asked.metrics.routed_servers == {server: 1}


def test_what_sends_nobody_anywhere_is_not_counted() -> None:
    network = dns_network()
    servers = tuple(replace(server, ipv6=()) for server in network.servers)
    asked = Asked(topology=replace(network, servers=servers))
    for name, kind in (
        ("vod.example", "AAAA"),
        ("vod.example", "TXT"),
        ("cdn.example", "SOA"),
        ("ns1.cdn.example", "A"),
        ("nothing.cdn.example", "A"),
        ("example.net", "A"),
    ):
        for _ in range(2):
            asked.raw(query(name, kind))
    assert asked.metrics.routed_transports == {}


def test_where_nobody_can_serve_that_is_counted_and_so_is_who_stands_in() -> None:
    network = dns_network()
    none = tuple(replace(server, state=AdminState.WITHDRAWN) for server in network.servers)
    asked = Asked(topology=replace(network, servers=none))
    asked.raw(query("vod.example"))
    assert asked.metrics.routed_sites == {"none": 1}
    assert asked.metrics.routed_reasons == {"none": 1}

    other = Site("other", kind=SiteKind.EXTERNAL, base_url="https://vod.cdn.example.net")
    asked = Asked(topology=replace(network, servers=none, sites=(*network.sites, other)))
    asked.raw(query("a.vod.example"))
    assert asked.metrics.routed_sites == {"other": 1}
    assert asked.metrics.routed_servers == {"none": 1}
    assert asked.metrics.routed_fallbacks == 1


def test_a_truncated_answer_is_not_counted_but_the_one_over_tcp_is() -> None:
    network = dns_network()
    many = tuple(IPv6Address(f"2001:db8::{number:x}") for number in range(4))
    servers = tuple(replace(server, ipv6=many) for server in network.servers)
    asked = Asked(dns_config(answers=3), replace(network, servers=servers))
    data = query(".".join(["a" * 61] * 3 + ["vod.example"]), "AAAA", use_edns=0, payload=512)
    for udp, truncated, counted in ((True, True, 0), (True, True, 0), (False, False, 1)):
        answer = asked.raw(data, udp=udp)
        assert answer is not None
        assert bool(answer[2] & 2) is truncated
        assert sum(asked.metrics.routed_transports.values()) == counted
