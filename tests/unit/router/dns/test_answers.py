"""What is answered to whom, read back with dnspython."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import pytest

from headrace.topology.model import AdminState, ContentClass, Coverage, Server, SiteChoice, Topology
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.vips import Vip
from tests.harness.dns_messages import Asked, query, subnet_of, values
from tests.harness.dns_server import dns_config, dns_network, ipv4_of

NORTH = {str(address) for address in ipv4_of(1, 2, 3)}
SOUTH = {str(address) for address in ipv4_of(4, 5, 6)}


@pytest.fixture(name="asked")
def _asked() -> Asked:
    return Asked()


def with_servers(topology: Topology, **changes: object) -> Topology:
    """Return the network with something changed about its northern servers."""
    servers = tuple(
        replace(server, **changes) if server.site == "north" else server  # type: ignore[arg-type]
        for server in topology.servers
    )
    return replace(topology, servers=servers)


def unusual(asked: Asked, name: str) -> bytes:
    """Return a query with a subnet and a record that queries do not have."""
    message = dns.message.make_query(name, "A")
    message.use_edns(0, options=[dns.edns.ECSOption("203.0.113.0", 24)])
    message.additional.append(asked.ask("n1.cdn.example").answer[0])
    return message.to_wire()


def test_a_client_gets_servers_of_its_own_site(asked: Asked) -> None:
    north = values(asked.ask("vod.example", client=IPv4Address("192.0.2.7").packed))
    south = values(asked.ask("vod.example", client=IPv4Address("203.0.113.7").packed))
    assert len(north) == len(south) == 2
    assert set(north) <= NORTH
    assert set(south) <= SOUTH


def test_the_subnet_counts_and_not_who_asks_for_it(asked: Asked) -> None:
    message = asked.ask(
        "vod.example", subnet="203.0.113.0/24", client=IPv4Address("192.0.2.7").packed
    )
    assert set(values(message)) <= SOUTH


def test_all_types_of_a_name_come_from_one_decision(asked: Asked) -> None:
    v4 = values(asked.ask("vod.example", "A"))
    v6 = values(asked.ask("vod.example", "AAAA"))
    https = values(asked.ask("vod.example", "HTTPS"))
    assert [IPv4Address(each).packed[-1] for each in v4] == [int(each[-1], 16) for each in v6]
    assert https == [f'1 . alpn="http/1.1" ipv4hint="{",".join(v4)}" ipv6hint="{",".join(v6)}"']


def test_names_below_a_pattern_of_a_class_are_routed(asked: Asked) -> None:
    assert set(values(asked.ask("any.name.vod.example"))) <= NORTH


def test_a_name_of_a_shard_names_the_server_that_holds_it(asked: Asked) -> None:
    held = {name: values(asked.ask(f"{name}.shards.example")) for name in ("s1", "s2", "s3", "s4")}
    assert all(len(servers) == 1 for servers in held.values())
    assert len({servers[0] for servers in held.values()}) > 1
    elsewhere = IPv4Address("192.0.2.200").packed
    for name, servers in held.items():
        assert values(asked.ask(f"{name}.shards.example", client=elsewhere)) == servers


def test_names_of_servers_have_their_own_addresses(asked: Asked) -> None:
    assert values(asked.ask("n1.cdn.example")) == ["198.51.100.1"]
    assert values(asked.ask("n1.cdn.example", "AAAA")) == ["2001:db8:c::1"]
    assert values(asked.ask("m1.cdn.example")) == ["198.51.100.7"]


def test_a_withdrawn_server_gets_no_clients_and_keeps_its_name() -> None:
    network = with_servers(dns_network(), state=AdminState.WITHDRAWN)
    asked = Asked(topology=network)
    assert set(values(asked.ask("vod.example"))) <= SOUTH
    assert values(asked.ask("n1.cdn.example")) == ["198.51.100.1"]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("cdn.example", "NS", ["ns1.cdn.example.", "ns2.cdn.example."]),
        (
            "cdn.example",
            "SOA",
            ["ns1.cdn.example. hostmaster.cdn.example. 1 7200 900 1209600 30"],
        ),
        ("cdn.example", "CAA", ['0 issue "ca.example"']),
        ("cdn.example", "TXT", ['"a zone" "of the router"']),
        ("ns1.cdn.example", "AAAA", ["2001:db8::53"]),
        ("www.about.cdn.example", "A", ["pages.example.net."]),
        ("www.about.cdn.example", "CNAME", ["pages.example.net."]),
        ("cdn.example", "ANY", ['"RFC8482" ""']),
    ],
)
def test_records_of_the_configuration(
    asked: Asked, name: str, kind: str, expected: list[str]
) -> None:
    message = asked.ask(name, kind)
    assert values(message) == expected
    assert message.flags & dns.flags.AA


def test_records_have_their_own_time_to_live(asked: Asked) -> None:
    assert asked.ask("cdn.example", "TXT").answer[0].ttl == 3600
    assert asked.ask("cdn.example", "NS").answer[0].ttl == 300
    assert asked.ask("vod.example", "A").answer[0].ttl == 30


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "zone"),
    [
        ("nothing.cdn.example", "A", "NXDOMAIN", "cdn.example."),
        ("a.b.nothing.cdn.example", "ANY", "NXDOMAIN", "cdn.example."),
        ("about.cdn.example", "A", "NOERROR", "cdn.example."),  # there is a name below it
        ("about.cdn.example", "ANY", "NOERROR", "cdn.example."),
        ("n1.cdn.example", "TXT", "NOERROR", "cdn.example."),
        ("vod.example", "MX", "NOERROR", "vod.example."),
        ("x.y.vod.example", "TXT", "NOERROR", "vod.example."),
        ("shards.example", "A", "NOERROR", "shards.example."),
        ("vod.example", "CNAME", "NOERROR", "vod.example."),
    ],
)
def test_what_is_not_there_is_denied_with_the_zone_s_soa(
    asked: Asked, name: str, kind: str, rcode: str, zone: str
) -> None:
    message = asked.ask(name, kind)
    assert dns.rcode.to_text(message.rcode()) == rcode
    assert message.answer == []
    (soa,) = message.authority
    assert soa.name.to_text() == zone
    assert (soa.rdtype, soa.ttl) == (6, 30)
    assert message.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("data", "rcode"),
    [
        (query("example.net"), "REFUSED"),
        (query("example"), "REFUSED"),
        (query("."), "REFUSED"),
        (query("xvod.example"), "REFUSED"),
        (query("cdn.example", "AXFR"), "REFUSED"),
        (query("cdn.example", "IXFR"), "REFUSED"),
        (query("cdn.example", "TXT", rdclass=dns.rdataclass.CH), "REFUSED"),
        (query("cdn.example", "TXT", rdclass=dns.rdataclass.ANY), "REFUSED"),
        (query("vod.example", "TYPE200"), "NOTIMP"),
        (query("vod.example", "OPT"), "FORMERR"),
    ],
)
def test_what_is_refused_has_no_records_and_no_authority(
    asked: Asked, data: bytes, rcode: str
) -> None:
    answer = asked.raw(data)
    assert answer is not None
    message = dns.message.from_wire(answer)
    assert dns.rcode.to_text(message.rcode()) == rcode
    assert not message.flags & dns.flags.AA
    assert message.answer == message.authority == []


def test_a_name_is_repeated_in_the_letters_that_it_was_asked_in(asked: Asked) -> None:
    message = asked.ask("VoD.ExAmPlE", "A")
    assert message.question[0].name.to_text() == "VoD.ExAmPlE."
    assert message.answer[0].name.to_text() == "VoD.ExAmPlE."
    assert values(message) == values(asked.ask("vod.example", "A"))


def test_flags_of_the_question_are_repeated_and_recursion_is_not_offered(asked: Asked) -> None:
    message = asked.ask("vod.example", flags=dns.flags.RD | dns.flags.CD | dns.flags.AD)
    assert message.flags == dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.CD
    assert asked.ask("vod.example", want_dnssec=True).ednsflags == dns.flags.DO
    assert asked.ask("vod.example", use_edns=0).ednsflags == 0
    assert asked.ask("vod.example", use_edns=False).edns == -1


def test_other_operations_are_not_implemented(asked: Asked) -> None:
    for opcode in (dns.opcode.STATUS, dns.opcode.NOTIFY, dns.opcode.UPDATE):
        message = dns.message.make_query("vod.example", "SOA")
        message.set_opcode(opcode)
        answer = asked.raw(message.to_wire())
        assert answer is not None
        assert len(answer) == 12
        assert answer[3] & 0xF == dns.rcode.NOTIMP
        assert (answer[2] >> 3) & 0xF == opcode


def test_answers_are_not_answered(asked: Asked) -> None:
    answer = asked.raw(query("vod.example"))
    assert answer is not None
    assert asked.raw(answer) is None
    assert asked.raw(b"short") is None


def test_a_version_of_edns_that_is_not_known_is_said_to_be_bad(asked: Asked) -> None:
    message = asked.ask("vod.example", use_edns=3)
    assert message.rcode() == dns.rcode.BADVERS
    assert message.edns == 0
    assert message.answer == []


def test_a_server_without_ipv6_has_none_to_give() -> None:
    asked = Asked(topology=with_servers(dns_network(), ipv6=()))
    message = asked.ask("vod.example", "AAAA")
    assert message.rcode() == dns.rcode.NOERROR
    assert message.answer == []
    assert len(message.authority) == 1


def test_a_server_with_vips_is_named_by_them_and_never_by_its_own_address() -> None:
    vips = (Vip(IPv4Address("192.0.2.129")), Vip(IPv4Address("192.0.2.130")))
    network = dns_network(1)
    servers = tuple(
        replace(server, vips=vips) if server.name == "n1" else server for server in network.servers
    )
    asked = Asked(topology=replace(network, servers=servers))
    both = ["192.0.2.129", "192.0.2.130"]
    hints = 'ipv4hint="192.0.2.129,192.0.2.130" ipv6hint="2001:db8:c::1"'
    for name in ("vod.example", "n1.cdn.example"):
        assert values(asked.ask(name)) == both
        assert values(asked.ask(name, "AAAA")) == ["2001:db8:c::1"]  # of a family without VIPs
        assert values(asked.ask(name, "HTTPS")) == [f'1 . alpn="http/1.1" {hints}']


def test_https_names_a_port_that_is_not_the_usual_one() -> None:
    asked = Asked(topology=with_servers(dns_network(), https_port=8443, ipv6=()))
    (record,) = values(asked.ask("vod.example", "HTTPS"))
    assert record.startswith('1 . alpn="http/1.1" port="8443" ipv4hint=')


def test_https_names_each_server_where_ports_differ() -> None:
    network = dns_network(2)
    servers = tuple(
        replace(server, https_port=8443) if server.name == "n2" else server
        for server in network.servers
    )
    asked = Asked(topology=replace(network, servers=servers))
    first, second = values(asked.ask("vod.example", "HTTPS"))
    both = {first.split()[1], second.split()[1]}
    assert (first[0], second[0]) == ("1", "2")
    assert both == {"n1.cdn.example.", "n2.cdn.example."}
    assert 'port="8443"' in (first if " n2." in first else second)


def test_there_is_no_https_record_without_https() -> None:
    asked = Asked(topology=with_servers(dns_network(), https_port=None))
    assert asked.ask("vod.example", "HTTPS").answer == []
    assert asked.ask("n1.cdn.example", "HTTPS").answer == []
    assert len(values(asked.ask("vod.example", "A"))) == 2


def test_an_external_site_stands_in_by_its_name_but_not_for_a_zone_itself() -> None:
    network = dns_network()
    sites = tuple(
        replace(site, base_url="https://other.example.net/") if site.base_url else site
        for site in network.sites
    )
    none = tuple(replace(server, state=AdminState.WITHDRAWN) for server in network.servers)
    asked = Asked(topology=replace(network, sites=sites, servers=none))
    for kind in ("A", "AAAA", "HTTPS", "CNAME"):
        message = asked.ask("www.vod.example", kind)
        assert values(message) == ["other.example.net."]
    assert asked.ask("vod.example").rcode() == dns.rcode.SERVFAIL


def test_an_external_site_below_a_path_cannot_be_reached_by_name() -> None:
    network = dns_network()
    none = tuple(replace(server, state=AdminState.WITHDRAWN) for server in network.servers)
    message = Asked(topology=replace(network, servers=none)).ask("www.vod.example")
    assert message.rcode() == dns.rcode.SERVFAIL
    assert message.answer == message.authority == []
    assert not message.flags & dns.flags.AA


def test_long_answers_are_cut_to_their_question_over_udp_and_whole_over_tcp() -> None:
    many = [{"name": "big", "type": "TXT", "value": f'"{number:0200}"'} for number in range(7)]
    zone = {"name": "cdn.example", "nameservers": ["ns1.cdn.example"], "record": many}
    asked = Asked(dns_config(zone=[zone]))
    messages = [
        asked.ask("big.cdn.example", "TXT"),
        *(asked.ask("big.cdn.example", "TXT", use_edns=0, payload=most) for most in (1232, 65535)),
    ]
    for message in messages:
        assert message.flags & dns.flags.TC
        assert message.answer == []
    assert len(values(asked.ask("big.cdn.example", "TXT", udp=False))) == 7
    assert asked.metrics.dns_truncated == 3


def test_an_answer_is_no_longer_than_its_client_takes() -> None:
    long = [{"name": "t", "type": "TXT", "value": f'"{letter * 250}"'} for letter in "xy"]
    zone = {"name": "cdn.example", "nameservers": ["ns1.cdn.example"], "record": long}
    asked = Asked(dns_config(zone=[zone]))
    assert asked.ask("t.cdn.example", "TXT").flags & dns.flags.TC
    assert len(values(asked.ask("t.cdn.example", "TXT", use_edns=0, payload=1232))) == 2
    assert asked.ask("t.cdn.example", "TXT", use_edns=0, payload=1).flags & dns.flags.TC


def test_a_message_with_other_records_is_read_all_the_same(asked: Asked) -> None:
    answer = asked.raw(unusual(asked, "vod.example"))
    assert answer is not None
    read = dns.message.from_wire(answer)
    assert set(values(read)) <= SOUTH
    said = subnet_of(read)
    assert said is not None
    assert said.scopelen == 24


def test_only_so_many_unusual_messages_are_read_in_a_second(asked: Asked) -> None:
    data = [unusual(asked, f"c{number}.vod.example") for number in range(251)]
    assert sum(asked.raw(each) is not None for each in data[:250]) == 200
    assert asked.raw(data[250], now_s=1_900_000_000) is not None


def test_a_coverage_finer_than_a_24_is_kept_apart() -> None:
    network = dns_network()
    fine = Coverage("fine", (SiteChoice("south"),), prefixes=PrefixSet.of(["192.0.2.128/25"]))
    asked = Asked(topology=replace(network, coverage=(*network.coverage, fine)))
    for _ in range(2):
        for host, expected in ((1, NORTH), (129, SOUTH), (127, NORTH), (255, SOUTH)):
            client = IPv4Address(f"192.0.2.{host}").packed
            assert set(values(asked.ask("vod.example", client=client))) <= expected
            message = asked.ask("vod.example", subnet=f"192.0.2.{host}/32")
            assert set(values(message)) <= expected
            said = subnet_of(message)
            assert said is not None
            assert said.scopelen == 25


def test_an_earlier_class_takes_a_name_from_a_later_one() -> None:
    network = dns_network()
    first = ContentClass("all", ("*.vod.example",), ttl_s=7)
    asked = Asked(topology=replace(network, classes=(first, *network.classes)))
    assert asked.ask("a.vod.example").answer[0].ttl == 7
    assert asked.ask("vod.example").answer[0].ttl == 30


def test_a_server_named_by_an_address_has_no_name_here() -> None:
    network = dns_network()
    bare = Server("bare", "north", "[2001:db8::1]")
    asked = Asked(topology=replace(network, servers=(*network.servers, bare)))
    assert values(asked.ask("n1.cdn.example")) == ["198.51.100.1"]


def test_queries_and_answers_are_counted_by_type_and_code(asked: Asked) -> None:
    for _ in range(3):
        asked.ask("vod.example")
    asked.ask("vod.example", "TYPE65400")
    asked.ask("nope.cdn.example", "AAAA", subnet="192.0.2.0/24")
    asked.raw(b"\0" * 12)
    assert dict(asked.metrics.dns_queries) == {"A": 3, "other": 1, "AAAA": 1}
    assert dict(asked.metrics.dns_answers) == {"noerror": 4, "nxdomain": 1, "formerr": 1}
    assert asked.metrics.dns_subnets == 1
    assert asked.metrics.dns_malformed == 1
