"""Client subnets (RFC 7871): what is refused, what is repeated, and that the scope is true."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.router.dns.query import subnet_address
from headrace.topology.model import Coverage, SiteChoice
from headrace.topology.prefix_set import PrefixSet
from tests.harness.dns_messages import Asked, option, query, subnet_of, values
from tests.harness.dns_server import dns_network


def raw_subnet(data: bytes) -> bytes:
    """Return a query with a subnet option of these bytes."""
    return query("vod.example", options=[option(8, data)])


def test_what_was_said_is_repeated_whatever_its_length() -> None:
    asked = Asked()
    for text in (
        "192.0.2.0/24",
        "192.0.2.77/32",
        "192.0.0.0/9",
        "2001:db8:a::/48",
        "2001:db8::/33",
    ):
        said = subnet_of(asked.ask("vod.example", subnet=text))
        assert said is not None
        assert f"{said.address}/{said.srclen}" == text


@pytest.mark.parametrize("kind", ["NS", "SOA", "TXT", "MX"])
def test_the_scope_is_none_where_the_client_plays_no_part(kind: str) -> None:
    said = subnet_of(Asked().ask("cdn.example", kind, subnet="192.0.2.0/24"))
    assert said is not None
    assert said.scopelen == 0
    said = subnet_of(Asked().ask("n1.cdn.example", "A", subnet="192.0.2.0/24"))
    assert said is not None
    assert said.scopelen == 0


def test_who_says_no_subnet_is_not_told_of_one() -> None:
    asked = Asked()
    assert subnet_of(asked.ask("vod.example", use_edns=0)) is None
    answer = asked.raw(raw_subnet(b"\0\x01\0\0"))
    said = subnet_of(dns.message.from_wire(answer or b""))
    assert said is not None
    assert (said.srclen, said.scopelen) == (0, 0)


def test_a_subnet_of_no_length_leaves_the_decision_to_the_resolver_s_address() -> None:
    asked = Asked()
    for host in ("192.0.2.7", "203.0.113.7"):
        client = IPv4Address(host).packed
        without = values(asked.ask("vod.example", client=client))
        assert values(
            dns.message.from_wire(asked.raw(raw_subnet(b"\0\x01\0\0"), client) or b"")
        ) == (without)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\x01\x18",
        b"\0\x01\x18\0\xc0\0",  # too short for its length
        b"\0\x01\x18\0\xc0\0\2\0",  # too long
        b"\0\x01\x18\x18\xc0\0\2",  # a scope in a query
        b"\0\x01\x17\0\xc0\0\3",  # a bit behind the prefix
        b"\0\x01\x21\0\xc0\0\2\0\0",  # more than an address has
        b"\0\x03\x08\0\x0a",  # no family
        b"\0\0\x08\0\x0a",
        b"\1\x01\x18\0\xc0\0\2",
    ],
)
def test_a_subnet_that_is_none_is_malformed(data: bytes) -> None:
    assert subnet_address(data) is False
    answer = Asked().raw(raw_subnet(data))
    assert answer is not None
    assert dns.message.from_wire(answer).rcode() == dns.rcode.FORMERR


FINE = (
    Coverage("fine", (SiteChoice("south"),), prefixes=PrefixSet.of(["192.0.2.64/27"])),
    Coverage("one", (SiteChoice("south"),), prefixes=PrefixSet.of(["198.18.0.1/32"])),
    Coverage("wide", (SiteChoice("south"),), prefixes=PrefixSet.of(["198.16.0.0/12"])),
)
NETWORK = dns_network()
ASKED = Asked(topology=replace(NETWORK, coverage=(*NETWORK.coverage, *FINE)))
near = st.one_of(
    st.sampled_from(["192.0.2.0", "198.18.0.0", "203.0.113.0", "198.16.0.0"]).map(
        lambda text: int(IPv4Address(text))
    ),
    st.integers(0, 2**32 - 1),
)


@given(
    start=near, offset=st.integers(0, 255), length=st.integers(1, 32), other=st.integers(0, 2**32)
)
def test_all_clients_of_the_scope_get_the_same_answer(
    start: int, offset: int, length: int, other: int
) -> None:
    number = (start + offset) % 2**32
    said_network = ip_network((number >> (32 - length) << (32 - length), length))
    message = ASKED.ask("vod.example", subnet=str(said_network))
    said = subnet_of(message)
    assert said is not None
    assert (said.address, said.srclen) == (str(said_network.network_address), length)
    scope = said.scopelen
    # Whoever shares the scope's prefix with the subnet's first address, and keeps to it.
    inside = int(said_network.network_address) | (other % 2 ** (32 - scope) if scope < 32 else 0)
    again = ASKED.ask("vod.example", subnet=f"{IPv4Address(inside)}/32")
    assert values(again) == values(message)
    without = ASKED.ask("vod.example", client=IPv4Address(inside).packed)
    assert values(without) == values(message)


FINE_V6 = (
    Coverage("fine6", (SiteChoice("south"),), prefixes=PrefixSet.of(["2001:db8:a:8000::/49"])),
    Coverage("one6", (SiteChoice("north"),), prefixes=PrefixSet.of(["2001:db8:b::7/128"])),
    Coverage("wide6", (SiteChoice("south"),), prefixes=PrefixSet.of(["2001:db8::/32"])),
    Coverage("mapped", (SiteChoice("south"),), prefixes=PrefixSet.of(["::ffff:198.18.0.0/111"])),
)
ASKED_V6 = Asked(topology=replace(NETWORK, coverage=(*NETWORK.coverage, *FINE_V6)))
near_v6 = st.sampled_from(["2001:db8:a::", "2001:db8:b::", "::ffff:198.18.0.0", "2001:db9::"]).map(
    lambda text: int(IPv6Address(text))
)


@given(
    start=near_v6,
    offset=st.integers(0, 2**82) | st.integers(0, 255),
    length=st.integers(1, 128),
    other=st.integers(0, 2**128),
    name=st.sampled_from(["vod.example", "x.vod.example", "s1.shards.example"]),
)
def test_all_ipv6_clients_of_the_scope_get_the_same_answer(
    start: int, offset: int, length: int, other: int, name: str
) -> None:
    said = IPv6Network(((start + offset) >> (128 - length) << (128 - length), length))
    message = ASKED_V6.ask(name, subnet=str(said))
    told = subnet_of(message)
    assert told is not None
    assert (told.srclen, told.scopelen <= 128) == (length, True)
    rest = 128 - told.scopelen
    inside = int(said.network_address) >> rest << rest | other % 2**rest
    again = ASKED_V6.ask(name, subnet=f"{IPv6Address(inside)}/128")
    assert values(again) == values(message)
