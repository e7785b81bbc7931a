"""Ways to announce VIPs that routers could not follow, or that would draw what is others'. Pure."""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from headrace.config.locate import TomlPath
from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import SiteTable
from headrace.config.network.vips import MOST_MED, MOST_PREPENDED, AnnounceTable
from headrace.config.network.wrong_vips import own_addresses, vip_addresses
from headrace.config.problems import Problem, Severity

GROUPS = 4
"""Announcements as they should be, and three kinds of worse ones, each with all ranks."""
_SERVERS: tuple[TomlPath, ...] = (("server", "site"), ("server", "vips"))


def wrong_announcements(config: NetworkConfig) -> Iterator[Problem]:
    """Yield every such problem; warnings are among them."""
    count = Counter(server.site for server in config.servers)
    with_vips = {server.site for server in config.servers if server.vips}
    for index, site in enumerate(config.sites):
        path = ("site", index, "announce")
        announce = site.announce
        if announce is not None:
            yield from _values(path, announce)
            if site.name not in with_vips:
                yield Problem(
                    path,
                    f"no server of {site.name!r} has a VIP to announce",
                    "add vips to its servers, or remove the table",
                    severity=Severity.WARNING,
                    concerns=_SERVERS,
                )
        if site.name in with_vips:
            yield from _neighbours(index, site, count[site.name])
    yield from _swallowed(config)


def _values(path: TomlPath, announce: AnnounceTable) -> Iterator[Problem]:
    ranks = announce.neighbours + 1
    concerns: tuple[TomlPath, ...] = ((*path, "neighbours"), (*path, "preference"))
    worst = announce.med + announce.med_step * (GROUPS * ranks - 1)
    if worst > MOST_MED:
        yield Problem(
            (*path, "med_step"),
            f"the worst announcement would have the metric {worst}, and {MOST_MED} is the largest",
            "write a smaller med or med_step",
            str(announce.med_step),
            concerns=(*concerns, (*path, "med")),
        )
    if announce.preference == "prepend" and announce.prepend * ranks > MOST_PREPENDED:
        yield Problem(
            (*path, "prepend"),
            f"the worst announcement would repeat the AS {announce.prepend * ranks} times, and "
            f"{MOST_PREPENDED} is the most that is sent",
            "write a smaller number, or fewer neighbours",
            str(announce.prepend),
            concerns=concerns,
        )
    if announce.preference == "community":
        yield from _communities(path, announce, ranks, concerns)
    elif announce.communities:
        yield Problem(
            (*path, "communities"),
            f"with preference = {announce.preference!r} no community is sent",
            'remove them, or write preference = "community"',
            severity=Severity.WARNING,
            concerns=concerns,
        )


def _communities(
    path: TomlPath, announce: AnnounceTable, ranks: int, concerns: tuple[TomlPath, ...]
) -> Iterator[Problem]:
    count = len(announce.communities)
    if not ranks <= count <= ranks + 1:
        yield Problem(
            (*path, "communities") if count else (*path, "preference"),
            f"there are {count} communities for {ranks} ranks: the owner and "
            f"{announce.neighbours} neighbours",
            f"write {ranks} of them, the owner's first, or one more for what drains",
            concerns=(*concerns, (*path, "communities")),
        )
    for place, text in enumerate(announce.communities):
        if text in announce.communities[:place]:
            yield Problem(
                (*path, "communities", place),
                "it is that of another rank already",
                "give each rank a community of its own",
                repr(text),
            )


def _neighbours(index: int, site: SiteTable, servers: int) -> Iterator[Problem]:
    announce = site.announce
    written = announce is not None and "neighbours" in announce.model_fields_set
    path: TomlPath = ("site", index, "announce", "neighbours") if written else ("site", index)
    value = str(announce.neighbours) if written and announce is not None else None
    concerns = (*_SERVERS, path)
    if servers == 1 or (announce is not None and announce.neighbours == 0):
        why = "it has one server" if servers == 1 else "it has no neighbours"
        yield Problem(
            path,
            f"nobody takes over the VIPs of {site.name!r}: {why}",
            "add a server to the site" if servers == 1 else "write neighbours = 1 or more",
            value,
            Severity.WARNING,
            concerns,
        )
    elif written and announce is not None and announce.neighbours >= servers:
        yield Problem(
            path,
            f"{site.name!r} has {servers} servers: {servers - 1} at most can be neighbours of one",
            f"write {servers - 1} or less; with more servers, more is good",
            value,
            Severity.WARNING,
            concerns,
        )


def shortest(announce: AnnounceTable, version: int) -> int:
    """Return the length of the shortest prefix that is announced for a VIP of a family."""
    length = announce.ipv4_length if version == 4 else announce.ipv6_length
    return length - announce.neighbours - 1 if announce.preference == "specific" else length


def _swallowed(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a problem for each VIP one of whose prefixes has another VIP in it, or a server."""
    if not any(server.vips for server in config.servers):
        return
    announces = {site.name: site.announce or AnnounceTable() for site in config.sites}
    sites = {site.name: index for index, site in enumerate(config.sites)}
    places = [
        (int(ipaddress.ip_address(address)), ipaddress.ip_address(address).version, path, address)
        for index, server in enumerate(config.servers)
        for path, address in (*vip_addresses(index, server), *own_addresses(index, server))
    ]
    by_family = {
        version: sorted((one[0], str(one[2]), one) for one in places if one[1] == version)
        for version in (4, 6)
    }
    for index, server in enumerate(config.servers):
        announce = announces.get(server.site)
        for path, address in vip_addresses(index, server) if announce is not None else ():
            assert announce is not None
            vip = ipaddress.ip_address(address)
            length = shortest(announce, vip.version)
            block = ipaddress.ip_network(f"{address}/{length}", strict=False)
            if length == vip.max_prefixlen:
                continue
            listed = by_family[vip.version]
            at = bisect_left(listed, (int(block.network_address), ""))
            for number, _text, (_number, _version, where, other) in listed[at : at + 4]:
                if number <= int(block.broadcast_address) and other != address:
                    site = sites[server.site]
                    yield _swallows(path, address, str(block), other, where, site)
                    break


def _swallows(
    path: TomlPath, address: str, block: str, other: str, where: TomlPath, site: int
) -> Problem:
    what = "VIP" if "vips" in where else "server"
    return Problem(
        path=path,
        value=repr(address),
        message=f"{block}, which is announced for it, has the {what} {other} in it",
        remedy="choose VIPs so far apart that no prefix has two, fewer neighbours, or another "
        "preference",
        concerns=(where, ("site", site, "announce")),
    )
