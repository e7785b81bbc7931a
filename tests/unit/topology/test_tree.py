"""The tree of a network, line by line."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from headrace.topology.model import (
    AdminState,
    ClientNetwork,
    ContentClass,
    Coverage,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    StoreBy,
    Topology,
    Widening,
    Withdrawal,
)
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.tree import Ink, tree
from headrace.topology.vips import Vip
from tests.harness.networks import two_sites

ALL = Topology(
    (ClientNetwork("isp", tuple(range(64500, 64510)), PrefixSet.of(["192.0.2.0/24"])),),
    (
        Site("n", network="isp", latitude=60.0, longitude=-1.5, country="NO", capacity_bps=10**9),
        Site("mid", SiteKind.MID, parents=("top", "far")),
        Site("x", SiteKind.EXTERNAL, base_url="https://x.example/y"),
    ),
    (
        Server("n1", "n", "n1.example", storage_bytes=4 * 10**12),
        Server(
            "n10", "n", "n10.example", https_port=None, peer_port=9000, storage_bytes=2**40,
            state=AdminState.WITHDRAWN,
        ),
    ),
    (
        Coverage(
            "c",
            (SiteChoice("n", 2.0), SiteChoice("m"), SiteChoice("x", order=5)),
            ("isp",),
            PrefixSet.of(["::/0", "10.0.0.0/8"]),
        ),
    ),
    (
        ContentClass("a", ("a.example",), ("/v/*",), ("segment",), replicas=2, external=False),
        ContentClass("bb", store=StoreBy.POPULAR, tiering=False, widening=Widening()),
    ),
)  # fmt: skip


def test_a_tree_line_by_line() -> None:
    assert list(tree(ALL)) == [
        "1 edge site, 1 mid site, 1 external site, 2 servers, 1 network, 3 prefixes, 1 coverage, "
        "2 classes",
        "",
        "isp  AS64500  AS64501  AS64502  AS64503  AS64504  AS64505  AS64506  AS64507  … (10)  "
        "1 prefix",
        "  n  edge  NO  60, -1.5  1Gbps, used to 80%",
        "    n1   online     10Gbps  4TB   n1.example http:80 https:443",
        "    n10  withdrawn  10Gbps  1TiB  n10.example http:80 peers:9000",
        "",
        "in no ISP's network",
        "  mid  mid  0bps, used to 80%  asks top, then far",
        "  x  external  https://x.example/y",
        "",
        "coverage",
        "  c  isp, 2 prefixes  → n ×2 | m, then x",
        "  all others by country, continent and distance",
        "",
        "classes, the first that matches",
        "  a   a.example, /v/*, segment  shard {path}  2 replicas  tiers, stores own  "
        "never external  302, 30 s",
        "  bb  all  shard {path}  widened  no tiers, stores popular (after 3)  302, 30 s",
    ]


def test_paint_gets_each_state_and_name_and_changes_nothing_else() -> None:
    painted: list[tuple[str, Ink]] = []

    def paint(text: str, ink: Ink) -> str:
        painted.append((text.strip(), ink))
        return text

    assert list(tree(ALL, paint)) == list(tree(ALL))
    assert ("online", Ink.GOOD) in painted
    assert ("withdrawn", Ink.BAD) in painted
    assert ("n10", Ink.NAME) in painted


def test_a_network_without_anything_is_shown() -> None:
    assert next(iter(tree(Topology()))).startswith("0 edge sites, 0 servers")
    assert len(list(tree(two_sites()))) > 20


def test_vips_are_shown_beside_the_own_addresses() -> None:
    network = two_sites()
    vips = (Vip(IPv4Address("192.0.2.9"), IPv6Address("2001:db8::9")), Vip(IPv4Address("1.1.1.1")))
    first, *others = network.servers
    lines = list(tree(replace(network, servers=(replace(first, vips=vips), *others))))
    assert lines[0].endswith(", 2 VIPs")
    (site,) = (line for line in lines if "VIPs by" in line)
    assert site.endswith("VIPs by med, 1 neighbour")
    (server,) = (line for line in lines if "2001:db8::9" in line)
    assert server.endswith("198.51.100.1  VIPs 192.0.2.9 2001:db8::9 1.1.1.1")


def test_maintenance_is_shown_in_utc() -> None:
    scheduled = replace(
        two_sites(),
        withdrawals=(
            Withdrawal(1796086800.0, 1796097600.0, "n1", reason="disks", drain_s=1800.0),
            Withdrawal(1796090400.0, 1796097600.0, site="mid"),
        ),
    )
    lines = list(tree(scheduled))
    assert lines[0].endswith(", 2 withdrawals")
    assert lines[-4:] == [
        "",
        "maintenance",
        "  server n1  2026-12-01 01:00 UTC to 2026-12-01 04:00 UTC, drains 1800 s before: disks",
        "  site mid  2026-12-01 02:00 UTC to 2026-12-01 04:00 UTC",
    ]
