"""A route as it is announced, and the sets of them that a speaker is given. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

MOST_MED = 2**32 - 1
MOST_LOCAL_PREFERENCE = 2**32 - 1
MOST_PREPENDED = 16
"""Routers cut or refuse long paths; a path that is 16 longer has lost already."""
MOST_COMMUNITIES = 32

Community = tuple[int, int]
"""RFC 1997: two numbers of 16 bits."""
LargeCommunity = tuple[int, int, int]
"""RFC 8092: three numbers of 32 bits."""

GRACEFUL_SHUTDOWN: Community = (65535, 0)
"""RFC 8326: the receiver prefers any other route to this one."""
NO_EXPORT: Community = (65535, 65281)


class Family(enum.Enum):
    """An address family; the value is the version of IP."""

    IPV4 = 4
    IPV6 = 6


def family_of(thing: IPAddress | IPNetwork) -> Family:
    """Return the family of an address or a prefix."""
    return Family.IPV4 if thing.version == 4 else Family.IPV6


@dataclass(frozen=True, slots=True)
class Announcement:
    """A prefix, and how it is announced to every router that has a session of its family.

    Without `next_hop` it is the address that a session speaks from. `med` is the metric (lower is
    better), `prepend` how many times the own AS stands in the path beyond the once that it must.
    `local_preference` is sent within one AS only (a router of another AS ignores it: use a
    community there). The order of communities means nothing.
    """

    prefix: IPNetwork
    next_hop: IPAddress | None = None
    med: int | None = None
    prepend: int = 0
    communities: frozenset[Community] = frozenset()
    large_communities: frozenset[LargeCommunity] = frozenset()
    local_preference: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no speaker could send. Raises ValueError."""
        if self.next_hop is not None and self.next_hop.version != self.prefix.version:
            raise ValueError(f"{self.prefix} cannot have the next hop {self.next_hop}")
        _within("MED", self.med, MOST_MED)
        _within("prepend", self.prepend, MOST_PREPENDED)
        _within("local preference", self.local_preference, MOST_LOCAL_PREFERENCE)
        if len(self.communities) + len(self.large_communities) > MOST_COMMUNITIES:
            raise ValueError(f"{self.prefix} has more than {MOST_COMMUNITIES} communities")
        for community in self.communities:
            for part in community:
                _within("part of a community", part, 2**16 - 1)
        for large in self.large_communities:
            for part in large:
                _within("part of a large community", part, 2**32 - 1)

    @property
    def family(self) -> Family:
        """Return the family of its prefix."""
        return family_of(self.prefix)


def by_prefix(announcements: Iterable[Announcement]) -> dict[IPNetwork, Announcement]:
    """Return them by their prefixes, of which each may come once. Raises ValueError."""
    known: dict[IPNetwork, Announcement] = {}
    for one in announcements:
        if known.setdefault(one.prefix, one) != one:
            raise ValueError(f"{one.prefix} is announced in two ways at once")
    return known


def community_text(community: Community | LargeCommunity) -> str:
    """Return a community as people write it: 65535:0."""
    return ":".join(str(part) for part in community)


def parse_community(text: str) -> Community:
    """Return a community from 65535:0. Raises ValueError."""
    first, second = _parts(text, 2, 2**16 - 1)
    return first, second


def parse_large_community(text: str) -> LargeCommunity:
    """Return a large community from 64500:1:2. Raises ValueError."""
    first, second, third = _parts(text, 3, 2**32 - 1)
    return first, second, third


def _parts(text: str, number: int, most: int) -> list[int]:
    parts = text.split(":")
    right = len(parts) == number and all(
        part.isascii() and part.isdecimal() and len(part) <= 10 and int(part) <= most
        for part in parts
    )
    if not right:
        shown = ":".join("N" * number)
        raise ValueError(f"{text!r} is no community: write {shown}, each from 0 to {most}")
    return [int(part) for part in parts]


def _within(what: str, value: int | None, most: int) -> None:
    if value is not None and not 0 <= value <= most:
        raise ValueError(f"{what} {value} is not from 0 to {most}")
