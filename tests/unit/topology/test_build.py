"""A description becomes the values of the network."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from headrace.config.network import NETWORK
from headrace.config.schema import keys_of, tables
from headrace.topology.build import load_topology
from headrace.topology.learnt_rules import LearntRules
from headrace.topology.model import (
    AdminState,
    Redirect,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    StoreBy,
    Widening,
    Withdrawal,
)
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.vips import Announce, PreferBy, Vip

EXAMPLE = Path(__file__).parents[3] / "docs/examples/network.toml"
EVERYTHING = """
[[network]]
name = "isp"
as_numbers = [64500, 4294967295]
prefixes = ["192.0.2.0/24"]
prefix_file = "isp.prefixes"

[[site]]
name = "north"
network = "isp"
coordinates = [60, -10.5]
country = "NO"
continent = "EU"
capacity = "40Gbps"
target_utilisation = 0.7
price_per_gb = 0.004
preference = 2
parents = ["mid"]

[site.announce]
neighbours = 0
preference = "community"
med = 7
med_step = 8
prepend = 2
communities = ["64500:09", "64500:1:4294967295"]
ipv4_length = 31
ipv6_length = 64
graceful_shutdown = false
linger = "1m"
drain = 20

[[site]]
name = "mid"
kind = "mid"

[[site]]
name = "other"
kind = "external"
base_url = "https://CDN.example.net/x/"

[[server]]
name = "n1"
site = "north"
host = "N1.example"
ipv4 = ["198.51.100.1"]
ipv6 = ["2001:DB8::1"]
http_port = 0
https_port = 8443
peer_port = 9000
peer_tls = true
admin = "http://N1.example:9090"
vip_listener = "http://N1.example:8093"
capacity = "2.5Gbps"
storage = "1TB"
state = "draining"
vips = [{ ipv4 = "198.51.100.128", ipv6 = "2001:DB8:0:1::1" }, { ipv4 = "198.51.100.130" }]

[[server]]
name = "m1"
site = "mid"
host = "m1.example"

[[coverage]]
name = "all"
networks = ["isp"]
prefixes = ["198.18.0.0/15"]
prefix_file = "more.prefixes"
default = true
sites = [{ name = "north", weight = 2 }, { name = "other", order = 2 }]

[coverage.learnt]
site = "north"
file = "/nowhere/learnt.prefixes"
within = ["192.0.2.0/24", "2001:DB8::/32"]
origin_as = [64500]
router_as = [64501]
communities = ["64500:07"]
shortest_v4 = 9
longest_v4 = 25
shortest_v6 = 21
longest_v6 = 49
private = true
most = 7
taking = "approved"
most_changed = 0.5
most_prefixes = 8
settle = "5s"
keep = "2m"

[[class]]
name = "vod"
hosts = ["*.Example"]
paths = ["/v/*"]
kinds = ["segment", "video/*"]
shard_pattern = "/(?P<title>[^/]+)/"
shard_key = "t/{title}"
replicas = 2
tiering = false
store = "popular"
popular_after = 5
external = false
redirect = 307
server_host = "{server}.cdn.example"
ttl = "1m"
widening = { above = 0.6, below = 0.1, most = 8 }

[[withdrawal]]
server = "n1"
from = 2026-12-01T02:00:00+01:00
until = "2026-12-01T04:00:00Z"
drain = "30m"
reason = "disks"

[[withdrawal]]
site = "mid"
from = 2026-12-01T02:00:00Z
until = 2026-12-01T02:00:01Z
"""


def test_every_key_arrives(tmp_path: Path) -> None:
    (tmp_path / "network.toml").write_text(EVERYTHING)
    (tmp_path / "more.prefixes").write_text("192.0.2.128/25")
    (tmp_path / "isp.prefixes").write_text("# ours\n\n 2001:db8::/32 # all\n203.0.113.7\n")
    topology = load_topology(tmp_path / "network.toml")
    (isp,) = topology.networks
    assert isp.as_numbers == (64500, 4294967295)
    assert isp.prefixes == PrefixSet.of(["192.0.2.0/24", "203.0.113.7/32", "2001:db8::/32"])
    assert topology.sites == (
        Site(
            "north",
            SiteKind.EDGE,
            "isp",
            60.0,
            -10.5,
            "NO",
            "EU",
            40 * 10**9,
            0.7,
            ("mid",),
            "",
            0.004,
            2,
            Announce(
                0,
                PreferBy.COMMUNITY,
                7,
                8,
                2,
                ("64500:9", "64500:1:4294967295"),
                31,
                64,
                False,
                60.0,
                20.0,
            ),
        ),
        Site("mid", SiteKind.MID),
        Site("other", SiteKind.EXTERNAL, base_url="https://cdn.example.net/x"),
    )
    assert topology.servers[0] == Server(
        "n1", "north", "n1.example", (IPv4Address("198.51.100.1"),), (IPv6Address("2001:db8::1"),),
        None, 8443, 9000, True, 2_500_000_000, 10**12, AdminState.DRAINING,
        "http://n1.example:9090",
        (
            Vip(IPv4Address("198.51.100.128"), IPv6Address("2001:db8:0:1::1")),
            Vip(IPv4Address("198.51.100.130")),
        ),
        "http://n1.example:8093",
    )  # fmt: skip
    assert topology.servers[1] == Server("m1", "mid", "m1.example")
    (coverage,) = topology.coverage
    assert coverage.sites == (SiteChoice("north", 2.0), SiteChoice("other", order=2))
    assert (coverage.networks, coverage.default) == (("isp",), True)
    assert coverage.prefixes == PrefixSet.of(["198.18.0.0/15", "192.0.2.128/25"])
    assert coverage.learnt == LearntRules(
        "north", "/nowhere/learnt.prefixes", PrefixSet.of(["192.0.2.0/24", "2001:db8::/32"]),
        (64500,), ("64500:7",), 9, 25, 21, 49, True, 7, False, 0.5, 8, 5.0, 120.0,
        (64501,),
    )  # fmt: skip
    (vod,) = topology.classes
    assert (vod.hosts, vod.paths, vod.kinds) == (("*.example",), ("/v/*",), ("segment", "video/*"))
    assert vod.shard_pattern is not None
    assert vod.shard_pattern.pattern == "/(?P<title>[^/]+)/"
    assert (vod.shard_key, vod.replicas, vod.widening) == ("t/{title}", 2, Widening(0.6, 0.1, 8))
    assert (vod.tiering, vod.store, vod.popular_after) == (False, StoreBy.POPULAR, 5)
    assert (vod.external, vod.redirect, vod.ttl_s) == (False, Redirect.TEMPORARY, 60.0)
    assert vod.server_host == "{server}.cdn.example"
    assert topology.withdrawals == (
        Withdrawal(1796086800.0, 1796097600.0, "n1", "", "disks", 1800.0),
        Withdrawal(1796090400.0, 1796090401.0, "", "mid"),
    )


def test_the_example_loads() -> None:
    topology = load_topology(EXAMPLE)
    assert [site.name for site in topology.sites] == ["oslo", "rome", "frankfurt", "elsewhere"]
    assert len(topology.servers_of("oslo")) == 2


def test_the_description_above_has_every_key_of_the_schema() -> None:
    document = tomllib.loads(EVERYTHING)
    missing = [
        f"{name}.{key}"
        for name, model, _repeats in tables(NETWORK.model)
        if name
        for key in keys_of(model)
        if not any(key in one for one in tables_at(document, name.split(".")))
    ]
    assert missing == []


def tables_at(table: Any, path: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield each table that a path of keys leads to, in arrays all of them."""
    for one in table if isinstance(table, list) else [table]:
        if not path:
            yield one
        elif path[0] in one:
            yield from tables_at(one[path[0]], path[1:])


def test_clients_are_sent_to_vips_where_a_server_has_any(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    server = '[[server]]\nname = "{0}"\nsite = "north"\nhost = "{1}"\n{2}\n'
    path.write_text(
        '[[site]]\nname = "north"\n[[class]]\nname = "all"\n'
        + server.format("a", "192.0.2.1", 'vips = [{ ipv4 = "192.0.2.8" }, { ipv4 = "192.0.2.9" }]')
        + server.format("b", "192.0.2.11", 'ipv4 = ["192.0.2.2"]\nvips = [{ ipv4 = "192.0.2.11" }]')
        + server.format("c", "[2001:db8::3]", 'vips = [{ ipv6 = "2001:db8:1::3" }]')
        + server.format(
            "d", "192.0.2.4", 'ipv6 = ["2001:db8::4"]\nvips = [{ ipv6 = "2001:db8::8" }]'
        )
        + server.format("e", "192.0.2.5", "")
    )
    a, b, c, d, e = load_topology(path).servers
    assert (a.host, list(map(str, a.ipv4))) == ("192.0.2.8", ["192.0.2.1"])
    assert (b.host, list(map(str, b.ipv4))) == ("192.0.2.11", ["192.0.2.2"])
    assert (c.host, list(map(str, c.ipv6))) == ("[2001:db8:1::3]", ["2001:db8::3"])
    assert (d.host, e.host) == ("192.0.2.4", "192.0.2.5")  # no VIP of this family
    assert list(map(str, a.client_ipv4)) == ["192.0.2.8", "192.0.2.9"]
    assert (d.client_ipv4, list(map(str, d.client_ipv6))) == (d.ipv4, ["2001:db8::8"])
    assert (e.client_ipv4, e.client_ipv6) == (e.ipv4, ())


def test_a_host_that_is_an_address_is_the_servers_address(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    server = '[[server]]\nname = "{0}"\nsite = "north"\nhost = "{1}"\n{2}\n'
    path.write_text(
        '[[site]]\nname = "north"\n[[class]]\nname = "all"\n'
        + server.format("a", "192.0.2.1", "")
        + server.format("b", "[2001:db8::1]", "")
        + server.format("c", "192.0.2.2", 'ipv4 = ["192.0.2.3"]\nipv6 = ["2001:db8::3"]')
        + server.format("d", "192.0.2.4", 'ipv6 = ["2001:db8::4"]')
        + server.format("e", "e.example", "")
    )
    addresses = {
        one.name: [str(address) for address in (*one.ipv4, *one.ipv6)]
        for one in load_topology(path).servers
    }
    assert addresses == {
        "a": ["192.0.2.1"],
        "b": ["2001:db8::1"],
        "c": ["192.0.2.3", "2001:db8::3"],
        "d": ["192.0.2.4", "2001:db8::4"],
        "e": [],
    }
