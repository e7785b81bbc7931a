"""VIPs that cannot be: two servers' at once, without an address, without a next hop. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.locate import TomlPath
from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import ServerTable
from headrace.config.network.vips import VipTable
from headrace.config.problems import Problem, Severity
from headrace.http.hosts import literal_address

Place = tuple[TomlPath, str]
"""Where an address is written, and the address."""


def wrong_vips(config: NetworkConfig) -> Iterator[Problem]:
    """Yield every such problem."""
    own = {
        address: (index, path)
        for index, server in reversed(list(enumerate(config.servers)))
        for path, address in own_addresses(index, server)
    }
    seen: dict[str, tuple[int, TomlPath]] = {}
    for index, server in enumerate(config.servers):
        for place, vip in enumerate(server.vips):
            yield from _of_entry(("server", index, "vips", place), vip)
        for path, address in vip_addresses(index, server):
            if address in own:
                yield _is_own(config, index, path, address, own[address])
            other, first = seen.setdefault(address, (index, path))
            if first != path:
                whose = "of this server" if other == index else f"of {config.servers[other].name!r}"
                yield Problem(
                    path=path,
                    value=repr(address),
                    message=f"it is a VIP {whose} already",
                    remedy="give each server VIPs of its own: its neighbours announce them too",
                    concerns=(first,),
                )
        yield from _families(index, server)


def vip_addresses(index: int, server: ServerTable) -> Iterator[Place]:
    """Yield the addresses of a server's VIPs."""
    for place, vip in enumerate(server.vips):
        for key, address in (("ipv4", vip.ipv4), ("ipv6", vip.ipv6)):
            if address is not None:
                yield ("server", index, "vips", place, key), address


def own_addresses(index: int, server: ServerTable) -> Iterator[Place]:
    """Yield the addresses at which a server itself is reached, whoever announces what."""
    literal = literal_address(server.host)
    for key, version, addresses in (("ipv4", 4, server.ipv4), ("ipv6", 6, server.ipv6)):
        if not addresses and literal is not None and literal.version == version:
            yield ("server", index, "host"), str(literal)
        for place, address in enumerate(addresses):
            yield ("server", index, key, place), address


def _of_entry(path: TomlPath, vip: VipTable) -> Iterator[Problem]:
    if vip.ipv4 is None and vip.ipv6 is None:
        yield Problem(
            path=path,
            message="this VIP has no address",
            remedy='write { ipv4 = "…" }, { ipv6 = "…" } or both',
        )


def _is_own(
    config: NetworkConfig, index: int, path: TomlPath, address: str, found: tuple[int, TomlPath]
) -> Problem:
    other, where = found
    whose = "this server's" if other == index else f"{config.servers[other].name!r}'s"
    return Problem(
        path=path,
        value=repr(address),
        message=f"it is {whose} own address, which never moves",
        remedy="write another VIP; under ipv4 and ipv6, the addresses of the server's interface",
        concerns=(where,),
    )


def _families(index: int, server: ServerTable) -> Iterator[Problem]:
    """Yield a problem for each family of VIPs without a next hop, and a warning for own addresses
    of a family without VIPs.
    """
    if not server.vips:
        return
    literal = literal_address(server.host)
    for version, key, own in ((4, "ipv4", server.ipv4), (6, "ipv6", server.ipv6)):
        has_own = bool(own) or (literal is not None and literal.version == version)
        with_vip = [place for place, vip in enumerate(server.vips) if getattr(vip, key) is not None]
        concerns: tuple[TomlPath, ...] = (("server", index, "vips"), ("server", index, "host"))
        if with_vip and not has_own:
            yield Problem(
                path=("server", index, "vips", with_vip[0], key),
                value=repr(getattr(server.vips[with_vip[0]], key)),
                message=f"{server.name!r} has no IPv{version} address of its own: routers would "
                "have no next hop",
                remedy=f"add {key}: the address of its interface, at which other servers ask it",
                concerns=concerns,
            )
        elif has_own and not with_vip:
            yield Problem(
                path=("server", index, "vips"),
                message=f"{server.name!r} has an IPv{version} address and no VIP with one: its "
                f"clients by IPv{version} have no other server when it fails",
                remedy=f"add {key} to a VIP",
                severity=Severity.WARNING,
                concerns=concerns,
            )
