"""Problems of a topology that span several tables, each fine by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.config.lab.model import MOST_SERVERS_OF_AN_ISP, IspTable, LabConfig, SiteTable
from headrace.config.lab.vips import vip_numbers
from headrace.config.problems import Problem

_RESERVED_AS = 23456
MOST_VIPS_OF_AN_ISP = (126, 62)
"""With at most two ISPs, and with more: what half of their range for documentation has."""
FIXED = ("exchange", "mid", "origin", "router", "observer")
"""Names that parts of every lab have, alone or with a number behind."""


def inconsistencies(config: LabConfig) -> list[Problem]:
    """Return every such problem."""
    return [
        *_names(config),
        *_isps(config),
        *_room(config),
        *_numbers(config),
        *_announcements(config),
    ]


def _tables(config: LabConfig) -> tuple[tuple[str, Sequence[IspTable | SiteTable]], ...]:
    return ("isp", config.isps), ("site", config.sites)


def _names(config: LabConfig) -> Iterator[Problem]:
    seen: set[str] = set()
    for key, tables in _tables(config):
        for index, table in enumerate(tables):
            name = table.name
            if name.rstrip("0123456789") in FIXED:
                yield _name(key, index, name, "a part of every lab is called so")
            elif key == "site" and (name[-1].isdecimal() or "-client" in name):
                yield _name(key, index, name, "its servers could be taken for those of another")
            elif any(name == other or _server_of(name, other) for other in seen):
                yield _name(key, index, name, "something else has this name already")
            seen.add(name)
    sites = [site.name for site in config.sites]
    for index, isp in enumerate(config.isps):
        if any(_server_of(isp.name, site) for site in sites):
            yield _name("isp", index, isp.name, "a server of a site has this name")


def _server_of(name: str, site: str) -> bool:
    return name.startswith(site) and name[len(site) :].isdecimal()


def _name(key: str, index: int, name: str, why: str) -> Problem:
    return Problem((key, index, "name"), why, "give it another name", repr(name))


def _isps(config: LabConfig) -> Iterator[Problem]:
    known = [isp.name for isp in config.isps]
    servers = dict.fromkeys(known, 0)
    for index, site in enumerate(config.sites):
        if site.isp not in servers:
            yield Problem(
                ("site", index, "isp"),
                "there is no such ISP",
                f"name one of {', '.join(known)}",
                repr(site.isp),
            )
            continue
        servers[site.isp] += site.servers
        if servers[site.isp] > MOST_SERVERS_OF_AN_ISP:
            yield Problem(
                ("site", index, "servers"),
                f"the ISP {site.isp} then has {servers[site.isp]} servers",
                f"an ISP of a lab has addresses for {MOST_SERVERS_OF_AN_ISP}: let it have fewer",
                str(site.servers),
            )


def _room(config: LabConfig) -> Iterator[Problem]:
    room = MOST_VIPS_OF_AN_ISP[len(config.isps) > 2]
    for isp in config.isps:
        sites = [site for site in config.sites if site.isp == isp.name]
        for site, numbers in zip(sites, vip_numbers(sites), strict=True):
            if numbers[-1] > room:
                index = config.sites.index(site)
                yield Problem(
                    ("site", index, "vips"),
                    f"its last VIP would be number {numbers[-1]} of the ISP {isp.name}",
                    f'an ISP of a lab has addresses up to {room}; with "specific" a VIP takes '
                    "several: write fewer VIPs, servers or neighbours",
                    str(site.vips),
                )


def _numbers(config: LabConfig) -> Iterator[Problem]:
    by_number: dict[int, str] = {}
    for key, tables in _tables(config):
        for index, table in enumerate(tables):
            other = by_number.setdefault(table.as_number, table.name)
            if table.as_number == _RESERVED_AS:
                yield Problem(
                    (key, index, "as"),
                    "this AS number is reserved (RFC 6793)",
                    "write another: 64496 to 64511 are for documentation",
                    str(table.as_number),
                )
            elif other != table.name:
                yield Problem(
                    (key, index, "as"),
                    f"{other} has this AS number",
                    "give each ISP and each site one of its own: 64496 to 64511 are for "
                    "documentation",
                    str(table.as_number),
                )


def _announcements(config: LabConfig) -> Iterator[Problem]:
    for index, site in enumerate(config.sites):
        if site.hold_time_s != int(site.hold_time_s):
            yield Problem(
                ("site", index, "hold_time"),
                "BGP counts whole seconds",
                "write whole seconds",
                f"{site.hold_time_s:g}",
            )
        yield from _communities(index, site)


def _communities(index: int, site: SiteTable) -> Iterator[Problem]:
    if site.announce.preference != "community":
        return
    ranks = min(site.announce.neighbours, site.servers - 1) + 1
    if len(site.announce.communities) < ranks:
        yield Problem(
            ("site", index, "announce", "communities"),
            f"{ranks} are needed: that of the owner, and one for each neighbour",
            'write communities = ["64500:120", "64500:110", "64500:100"]',
            str(site.announce.communities),
        )
