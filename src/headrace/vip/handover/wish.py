"""What the kernel is to do, and where the other servers are reached. Values, made of what is known.

Each server is a device's neighbour at an address of the tunnel alone, which no packet ever carries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from headrace.topology.model import Server
from headrace.vip.plan.model import Address
from headrace.vip.plan.order import SiteOrder

MOST_SIBLINGS = 250
"""Each has an address of the tunnel."""

OWN_IPV4 = IPv4Address("169.254.94.1")
_FIRST = 2
_IPV6 = IPv6Address("fe80::94:0")
_MAC_LENGTH = 5


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another server of the site: where it is, by which MAC its end of the tunnel is known, and the
    addresses at which the tunnel's device reaches it.
    """

    name: str
    address: Address
    mac: str
    ipv4: IPv4Address
    ipv6: IPv6Address

    @property
    def label(self) -> str:
        """A word for names in the kernel, which are short and plain."""
        return _digest(self.name)[:8]


@dataclass(frozen=True, slots=True)
class Wish:
    """All of it. `vips` are those that may be meant by what others pass on; `targets` say of which
    VIPs what is not known here goes to whom, and `onward` where it goes if another server has
    passed it on to here. `seed` makes it unknown to strangers who shares a limit with whom.
    `cookies`: SYNs are answered with cookies, so what is not known may have been opened here.
    """

    address: Address
    mac: str
    port: int
    most_packets: int
    siblings: tuple[Sibling, ...] = ()
    vips: tuple[Address, ...] = ()
    targets: tuple[tuple[Address, str], ...] = ()
    onward: tuple[tuple[Address, str], ...] = ()
    seed: int = 0
    cookies: bool = False

    @property
    def ends(self) -> tuple[Address, str, int]:
        """This server's end of the tunnel, which is made anew where it is another."""
        return self.address, self.mac, self.port

    @property
    def tunnel(self) -> Wish:
        """The part that makes the tunnel."""
        return Wish(self.address, self.mac, self.port, 0, self.siblings)


def wish_of(
    order: SiteOrder,
    me: str,
    targets: Mapping[Address, str],
    port: int,
    most_packets: int,
    onward: Mapping[Address, str] = {},
    seed: int = 0,
    cookies: bool = False,
    held: Collection[Address] = (),
) -> Wish | None:
    """Return what to do; None where the description has no address of this server. `held` are the
    VIPs that it announces, also those for which it is no candidate any more.

    All ends of a site's tunnel are of one family: IPv4 where this server has an address of it.
    """
    described = _described(order, me)
    if described is None:
        return None
    vips = described.vips
    if any(one not in order.ranks(me) for one in held):
        vips = tuple(sorted({*vips, *held}, key=_by_number))
    return Wish(
        described.address,
        described.mac,
        port,
        most_packets,
        described.siblings,
        vips,
        _sorted(targets, described.reachable),
        _sorted(onward, described.reachable),
        seed,
        cookies,
    )


@dataclass(frozen=True, slots=True)
class _Described:
    """What follows from the description alone."""

    address: Address
    mac: str
    siblings: tuple[Sibling, ...]
    reachable: frozenset[str]
    vips: tuple[Address, ...]


@lru_cache(maxsize=2)  # wishes are made several times a second, of the same description
def _described(order: SiteOrder, me: str) -> _Described | None:
    own = order.servers[me]
    address = _own_address(own, 4) or _own_address(own, 6)
    if address is None:
        return None
    vips = order.ranks(me)
    partners = {name for vip in vips for name in order.vips[vip].names}
    siblings = tuple(_siblings(order.servers, me, partners, address.version))
    return _Described(
        address,
        _mac(me),
        siblings,
        frozenset(one.name for one in siblings),
        tuple(sorted(vips, key=_by_number)),
    )


def _sorted(
    targets: Mapping[Address, str], reachable: Collection[str]
) -> tuple[tuple[Address, str], ...]:
    pairs = sorted(targets.items(), key=lambda each: _by_number(each[0]))
    return tuple((vip, name) for vip, name in pairs if name in reachable)


def _siblings(
    servers: Mapping[str, Server], me: str, partners: Iterable[str], version: int
) -> Iterable[Sibling]:
    names = [name for name in sorted(partners) if name != me and name in servers]
    for index, name in enumerate(names[:MOST_SIBLINGS]):
        address = _own_address(servers[name], version)
        if address is not None:
            number = _FIRST + index
            yield Sibling(
                name,
                address,
                _mac(name),
                IPv4Address(int(OWN_IPV4) - 1 + number),
                IPv6Address(int(_IPV6) + number),
            )


def _own_address(server: Server, version: int) -> Address | None:
    own: tuple[Address, ...] = server.ipv4 if version == 4 else server.ipv6
    return own[0] if own else None


def _mac(name: str) -> str:
    """Return an address that nobody was given by a manufacturer, the same on all servers."""
    digest = _digest(name)
    return ":".join(["02", *(digest[2 * n : 2 * n + 2] for n in range(_MAC_LENGTH))])


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _by_number(address: Address) -> tuple[int, int]:
    return address.version, int(address)
