"""What is asked again is put together from what is known: it must be as the first answer was."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from unittest.mock import patch

import dns.edns
import pytest

from headrace.router.dns import answer as answer_module
from headrace.router.dns.cookies import RENEW_AFTER_S
from headrace.router.dns.query import read_query
from headrace.topology.model import AdminState
from tests.harness.dns_messages import NOW_S, Asked, option, query
from tests.harness.dns_server import dns_config, dns_network

NORTH, SOUTH = (IPv4Address(text).packed for text in ("192.0.2.7", "203.0.113.7"))
QUESTIONS = {
    "plain": query("vod.example"),
    "a pattern's name": query("a.vod.example", "AAAA"),
    "a shard": query("s1.shards.example"),
    "EDNS": query("vod.example", "HTTPS", use_edns=0, payload=4096, want_dnssec=True),
    "a small buffer": query("vod.example", use_edns=0, payload=512),
    "a subnet": query("vod.example", subnet="203.0.113.0/24"),
    "a subnet of IPv6": query("vod.example", subnet="2001:db8:0:ff00::/56"),
    "an address of IPv6": query("vod.example", subnet="2001:db8::/128"),
    "a static record": query("cdn.example", "SOA", subnet="203.0.113.0/24"),
    "another type": query("vod.example", "MX"),
    "anything": query("vod.example", "ANY"),
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
        query("vod.example", options=[option(10, b"8 bytes.and 9 more")]),
        query("example.net"),
        query("vod.example", subnet="192.0.0.0/16"),
        query("vod.example", subnet="2001:db8::/45"),
        query("vod.example", options=[option(8, b"\0\0\0\0")]),
        query("vod.example", "AXFR"),
    ],
)
def test_what_is_not_known_is_read_each_time(data: bytes) -> None:
    asked = Asked()
    first = asked.raw(data)
    with patch.object(answer_module, "read_query", wraps=read_query) as read:
        assert asked.raw(data) == first
    assert read.call_count == 1


def test_a_name_that_is_not_there_is_denied_without_being_read() -> None:
    asked = Asked()
    asked.raw(query("vod.example"))  # its shape is all that need be known
    name = query("nothing.cdn.example", id=7)
    with patch.object(answer_module, "read_query", side_effect=AssertionError):
        denied = asked.raw(name)
    assert denied == Asked().raw(name)
    assert denied is not None
    assert denied[3] & 0xF == 3
    assert asked.metrics.dns_answers == {"noerror": 1, "nxdomain": 1}
    assert sum(asked.metrics.dns_queries.values()) == 2


def test_a_network_that_never_asked_is_answered_without_being_read() -> None:
    asked = Asked()
    asked.raw(query("vod.example", subnet="192.0.2.0/24"))
    south = query("vod.example", subnet="203.0.113.0/24")
    with patch.object(answer_module, "read_query", side_effect=AssertionError):
        answer = asked.raw(south)
    assert answer == Asked().raw(south)


@pytest.mark.parametrize("subnet", [b"", b"\0\x01\x18\0\xc0\0\2"])
@pytest.mark.parametrize("name", ["vod.example", "nothing.cdn.example"])
def test_who_shows_a_cookie_is_answered_without_being_read(name: str, subnet: bytes) -> None:
    asked = Asked()
    subnets = [option(8, subnet)] if subnet else []
    first = asked.raw(query(name, options=[*subnets, option(10, b"8 bytes.")]))
    assert first is not None
    data = query(name, options=[*subnets, option(10, first[-24:])])
    read = asked.raw(data)
    with patch.object(answer_module, "read_query", side_effect=AssertionError):
        assert asked.raw(data) == read
        forged = data[:-1] + bytes((data[-1] ^ 1,))
        answer = asked.raw(forged)
        renewed = asked.raw(data, now_s=NOW_S + RENEW_AFTER_S)
    assert read is not None
    assert read[-24:] == first[-24:]
    for other in (answer, renewed):
        assert other is not None
        assert other[:-24] == read[:-24]
    assert answer == Asked().raw(forged)
    assert renewed == Asked().raw(data, now_s=NOW_S + RENEW_AFTER_S)
    assert sum(asked.metrics.dns_answers.values()) == 5
    assert asked.metrics.dns_subnets == (5 if subnet else 0)


@pytest.mark.parametrize("subnet", ["", "192.0.2.0/24", "2001:db8::/56"])
def test_who_shows_a_cookie_of_its_own_alone_is_answered_without_being_read(subnet: str) -> None:
    asked = Asked()
    own = [option(10, b"8 bytes.")]
    if subnet:
        own.insert(0, dns.edns.ECSOption.from_text(subnet))
    data = query("vod.example", options=own)
    first = asked.raw(data)
    with patch.object(answer_module, "read_query", side_effect=AssertionError):
        assert asked.raw(data) == first
        other = asked.raw(data[:-1] + b"!", now_s=NOW_S + 1)
    assert other == Asked().raw(data[:-1] + b"!", now_s=NOW_S + 1)


def test_two_cookies_in_one_message_count_as_the_first_does() -> None:
    asked = Asked()
    first = asked.raw(query("vod.example", options=[option(10, b"8 bytes.")]))
    assert first is not None
    ours, forged = first[-24:], b"8 bytes." + bytes(16)
    for one, two in ((ours, ours), (forged, ours), (ours, forged)):
        data = query("vod.example", options=[option(10, one), option(10, two)])
        assert asked.raw(data) == Asked().raw(data)


def test_a_cookie_spares_a_client_the_limit_and_a_forged_one_does_not() -> None:
    asked = Asked(dns_config(limits={"responses_per_second": 3, "slip": 0}))
    first = asked.raw(query("vod.example", options=[option(10, b"8 bytes.")]))
    assert first is not None
    data = query("vod.example", options=[option(10, first[-24:])])
    forged = data[:-1] + bytes((data[-1] ^ 1,))
    assert all(asked.raw(data) for _ in range(10))
    assert [bool(asked.raw(forged)) for _ in range(4)] == [True, True, False, False]
    assert all(asked.raw(data) for _ in range(10))
    assert asked.metrics.dns_limited == {"nothing": 2}


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
