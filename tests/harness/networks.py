"""Networks for tests: small ones, and any number of servers."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from headrace.topology.model import (
    ClientNetwork,
    ContentClass,
    Coverage,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    Topology,
)
from headrace.topology.prefix_set import PrefixSet


def a_server(name: str, site: str, number: int, *, capacity_bps: int = 10**10) -> Server:
    """Return a server with addresses of its own."""
    return Server(
        name,
        site,
        f"{name}.cdn.example",
        (IPv4Address(0xC6336400 + number),),
        capacity_bps=capacity_bps,
    )


def two_sites(servers_each: int = 2) -> Topology:
    """Return two edge sites in two ISPs, a mid site with one server, and an external site."""
    sites = (
        Site(
            "north", network="isp-a", latitude=60.0, longitude=10.0, country="NO", parents=("mid",)
        ),
        Site(
            "south", network="isp-b", latitude=41.0, longitude=12.0, country="IT", parents=("mid",)
        ),
        Site("mid", SiteKind.MID),
        Site("elsewhere", SiteKind.EXTERNAL, base_url="https://cdn.example.net/headrace"),
    )
    names = [
        (f"{site[0]}{n}", site) for site in ("north", "south") for n in range(1, servers_each + 1)
    ]
    names.append(("m1", "mid"))
    return Topology(
        (
            ClientNetwork("isp-a", (64500,), PrefixSet.of(["192.0.2.0/24", "2001:db8:a::/48"])),
            ClientNetwork("isp-b", (64501,), PrefixSet.of(["203.0.113.0/24"])),
        ),
        sites,
        tuple(a_server(name, site, number) for number, (name, site) in enumerate(names, 1)),
        (
            Coverage("a", (SiteChoice("north"), SiteChoice("south", order=2)), ("isp-a",)),
            Coverage("b", (SiteChoice("south"), SiteChoice("north", order=2)), ("isp-b",)),
            Coverage("others", (SiteChoice("north"), SiteChoice("south")), default=True),
        ),
        (ContentClass("vod", ("vod.example",)),),
    )


def one_site(
    capacities: Sequence[float], classes: tuple[ContentClass, ...] = (ContentClass("vod"),)
) -> Topology:
    """Return a site "north" with a server for each capacity, in units of 10 Gbit/s."""
    return Topology(
        sites=(Site("north"),),
        servers=tuple(
            a_server(f"n{number}", "north", number, capacity_bps=int(capacity * 10**10))
            for number, capacity in enumerate(capacities, 1)
        ),
        classes=classes,
    )
