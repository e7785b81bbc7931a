"""Which names there are: a name that is denied has nothing below it (RFC 8020)."""

from __future__ import annotations

from dataclasses import replace

import dns.rcode
from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.model import ContentClass
from tests.harness.dns_messages import Asked, values
from tests.harness.dns_server import dns_config, dns_network

labels = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(".".join)
names = labels.map(lambda below: f"{below}.example".lstrip("."))


def asked(hosts: list[str], *zones: str, shard_key: str = "") -> Asked:
    """Return an answerer for some zones and a class of some hosts."""
    content = ContentClass("all", tuple(hosts))
    if shard_key:
        content = replace(content, shard_key=shard_key)
    config = dns_config(zone=[{"name": zone, "nameservers": ["ns.example.net"]} for zone in zones])
    return Asked(config, replace(dns_network(), classes=(content,)))


def code_of(one: Asked, name: str) -> str:
    """Return the code of the answer for a name."""
    return dns.rcode.to_text(one.ask(name).rcode())


@given(
    hosts=st.lists(st.tuples(st.sampled_from(["", "*."]), names).map("".join), min_size=1),
    zones=st.sets(names),
    name=names,
)
def test_above_a_name_that_is_there_all_names_are(
    hosts: list[str], zones: set[str], name: str
) -> None:
    one = asked(hosts, "example", *(zones - {"example"}))
    if code_of(one, name) == "NXDOMAIN":
        assert code_of(one, f"x.{name}") == "NXDOMAIN"
    else:
        while name != "example":
            name = name.partition(".")[2]
            assert code_of(one, name) == "NOERROR", name


def test_a_name_above_what_a_pattern_means_is_there_and_has_nothing() -> None:
    one = asked(["*.vod.cdn.example"], "cdn.example")
    assert values(one.ask("film.vod.cdn.example"))
    message = one.ask("vod.cdn.example")
    assert (message.rcode(), message.answer) == (dns.rcode.NOERROR, [])
    assert code_of(one, "dov.cdn.example") == "NXDOMAIN"


def test_a_name_above_another_zone_is_there() -> None:
    one = asked(["www.example"], "example", "a.b.example")
    assert code_of(one, "b.example") == "NOERROR"
    assert code_of(one, "c.example") == "NXDOMAIN"


def test_a_name_with_names_below_it_has_what_a_pattern_says_of_it() -> None:
    one = asked(["x.y.vod.example", "*.vod.example"], "vod.example", shard_key="{host}")
    for name in ("y.vod.example", "z.vod.example"):
        assert len(values(one.ask(name))) == 1, "the one server of its shard"
    assert not values(one.ask("vod.example"))


def test_a_name_with_an_alias_has_nothing_else() -> None:
    alias = {"type": "CNAME", "value": "other.example.net."}
    records = [{"name": "www", **alias}, {"name": "n1", **alias}]
    config = dns_config(
        zone=[{"name": "cdn.example", "nameservers": ["ns.example.net"], "record": records}]
    )
    content = ContentClass("all", ("www.cdn.example",))
    one = Asked(config, replace(dns_network(), classes=(content,)))
    for name in ("www.cdn.example", "n1.cdn.example"):
        for kind in ("A", "AAAA", "HTTPS", "CNAME", "TXT", "ANY"):
            assert values(one.ask(name, kind)) == ["other.example.net."], (name, kind)
    assert values(one.ask("n2.cdn.example"))
