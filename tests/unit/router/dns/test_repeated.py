"""What is asked again is put together from what is known: it must be as the first answer was."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from unittest.mock import patch

import pytest

from headrace.router.dns import answer as answer_module
from headrace.router.dns.query import read_query
from headrace.topology.model import AdminState
from tests.harness.dns_messages import Asked, option, query
from tests.harness.dns_server import dns_network

NORTH, SOUTH = (IPv4Address(text).packed for text in ("192.0.2.7", "203.0.113.7"))
QUESTIONS = {
    "plain": query("vod.example"),
    "a pattern's name": query("a.vod.example", "AAAA"),
    "a shard": query("s1.shards.example"),
    "EDNS": query("vod.example", "HTTPS", use_edns=0, payload=4096, want_dnssec=True),
    "a small buffer": query("vod.example", use_edns=0, payload=512),
    "a subnet": query("vod.example", subnet="203.0.113.0/24"),
    "a static record": query("cdn.example", "SOA", subnet="203.0.113.0/24"),
}


@pytest.mark.parametrize("data", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_the_second_answer_is_the_first_and_nothing_is_read_for_it(data: bytes) -> None:
    asked = Asked()
    for client in (NORTH, SOUTH):
        first = asked.raw(data, client)
        assert first is not None
        with patch.object(answer_module, "read_query", side_effect=AssertionError):
            assert asked.raw(data, client) == first
            # Other letters, another number, and a name of the same length that is known.
            mixed = b"\xab\xcd" + data[2:12] + data[12:17].swapcase() + data[17:]
            again = asked.raw(mixed, client)
        assert again == b"\xab\xcd" + first[2:12] + mixed[12:17] + first[17:]
    assert sum(asked.metrics.dns_queries.values()) == 6
    assert asked.metrics.dns_answers == {"noerror": 6}


def test_a_denial_for_a_client_is_known_too() -> None:
    network = dns_network()
    servers = tuple(replace(server, ipv6=()) for server in network.servers)
    asked = Asked(topology=replace(network, servers=servers))
    for name in ("vod.example", "www.vod.example"):
        data = query(name, "AAAA", subnet="192.0.2.0/24")
        first = asked.raw(data)
        with patch.object(answer_module, "read_query", side_effect=AssertionError):
            assert asked.raw(data) == first


@pytest.mark.parametrize(
    "data",
    [
        query("vod.example", options=[option(10, b"8 bytes.")]),
        query("nothing.cdn.example"),
        query("example.net"),
        query("vod.example", subnet="192.0.0.0/16"),
        query("vod.example", "ANY"),
    ],
)
def test_what_is_not_known_is_read_each_time(data: bytes) -> None:
    asked = Asked()
    first = asked.raw(data)
    with patch.object(answer_module, "read_query", wraps=read_query) as read:
        assert asked.raw(data) == first
    assert read.call_count == 1


def test_an_error_stays_one_and_is_counted_as_one() -> None:
    network = dns_network()
    none = tuple(replace(server, state=AdminState.WITHDRAWN) for server in network.servers)
    asked = Asked(topology=replace(network, servers=none))
    assert asked.raw(query("vod.example", id=1)) == asked.raw(query("vod.example", id=1))
    assert asked.metrics.dns_answers == {"servfail": 2}


def test_two_subnets_in_one_message_count_as_the_first_does() -> None:
    asked = Asked()
    north, south = b"\0\x01\x18\0\xc0\0\2", b"\0\x01\x18\0\xcb\0\x71"
    both = {
        (one, two): asked.raw(query("vod.example", id=1, options=[option(8, one), option(8, two)]))
        for one in (north, south)
        for two in (north, south)
    }
    assert both[north, north] == both[north, south]
    assert both[south, south] == both[south, north]
    assert both[north, north] != both[south, south]
