"""Addresses that move between the servers of a site, and how the servers announce them. Values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address


class PreferBy(enum.Enum):
    """By what a site's routers tell the announcements of a VIP apart: the metric, the length of the
    AS path, a community that they turn into local preference, the length of the prefix."""

    MED = "med"
    PREPEND = "prepend"
    COMMUNITY = "community"
    SPECIFIC = "specific"


@dataclass(frozen=True, slots=True)
class Vip:
    """An address that is a server's as long as it serves, and then its neighbours', in one family
    or in both."""

    ipv4: IPv4Address | None = None
    ipv6: IPv6Address | None = None

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """The addresses that it has."""
        return tuple(one for one in (self.ipv4, self.ipv6) if one is not None)


@dataclass(frozen=True, slots=True)
class Announce:
    """How the servers of a site announce VIPs: each its own, and those that it is one of the
    `neighbours` of. `med` is the metric of the best announcement, and grows by `med_step` with each
    worse one; `prepend` is how often each rank repeats the AS more than the one before;
    `communities` are those of the ranks. The lengths are those of the best announcement's prefix.
    A server that drains keeps its VIPs for `linger_s` at most, and then announces them for
    `drain_s` at most, worse than all others.
    """

    neighbours: int = 2
    preference: PreferBy = PreferBy.MED
    med: int = 100
    med_step: int = 100
    prepend: int = 1
    communities: tuple[str, ...] = ()
    ipv4_length: int = 32
    ipv6_length: int = 128
    graceful_shutdown: bool = True
    linger_s: float = 30.0
    drain_s: float = 10.0


ANNOUNCE_AS_USUAL = Announce()
