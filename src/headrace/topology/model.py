"""The network as values, made once from its description and never changed after.

`config.network` says how it is written; `build` makes these from it. Names are unique among their
kind. Lists keep the order of the description.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from headrace.topology.learnt_rules import LearntRules
from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet
from headrace.topology.vips import ANNOUNCE_AS_USUAL, Announce, Vip

Address = IPv4Address | IPv6Address


class SiteKind(enum.Enum):
    """What a site is for: to serve clients, to stand between those and the origins, or neither:
    an external site is somebody else's CDN."""

    EDGE = "edge"
    MID = "mid"
    EXTERNAL = "external"


class AdminState(enum.Enum):
    """What an operator wants of a server: to serve; to end what it serves and get nothing new; to
    be left alone by all."""

    ONLINE = "online"
    DRAINING = "draining"
    WITHDRAWN = "withdrawn"


class Redirect(enum.IntEnum):
    """The status of a redirect."""

    FOUND = 302
    TEMPORARY = 307


class StoreBy(enum.Enum):
    """When a server stores what another server of its site owns: never, after some requests, or
    always."""

    OWN = "own"
    POPULAR = "popular"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class ClientNetwork:
    """Whose clients these are: an ISP."""

    name: str
    as_numbers: tuple[int, ...] = ()
    prefixes: PrefixSet = field(default=NO_PREFIXES, repr=False)


@dataclass(frozen=True, slots=True)
class Site:
    """A place with servers. `network` is the ISP that it stands in ("": none's).

    `parents` are the mid sites that its servers ask before the origins, in order. `base_url` is
    an external site's: what it serves is found there under its own path and query. Where several
    may take an overflow, the lowest `price_per_gb` does, then the highest `preference`.
    `announce` is how its servers announce their VIPs.
    """

    name: str
    kind: SiteKind = SiteKind.EDGE
    network: str = ""
    latitude: float | None = None
    longitude: float | None = None
    country: str = ""
    continent: str = ""
    capacity_bps: int | None = None
    target_utilisation: float = 0.8
    parents: tuple[str, ...] = ()
    base_url: str = ""
    price_per_gb: float = 0.0
    preference: int = 0
    announce: Announce = ANNOUNCE_AS_USUAL


@dataclass(frozen=True, slots=True)
class Server:
    """A caching server. `host` is the name that clients are sent to; `http_port` and `https_port`
    are where it serves them (None: it does not). `peer_port` is where other servers ask it (None:
    where clients do); `storage_bytes` is what its store may hold; `admin_url` is where its
    admin API answers ("": nowhere), `vip_listener_url` where its process for VIPs does.
    """

    name: str
    site: str
    host: str
    ipv4: tuple[IPv4Address, ...] = ()
    ipv6: tuple[IPv6Address, ...] = ()
    http_port: int | None = 80
    https_port: int | None = 443
    peer_port: int | None = None
    peer_tls: bool = False
    capacity_bps: int = 10_000_000_000
    storage_bytes: int = 0
    state: AdminState = AdminState.ONLINE
    admin_url: str = ""
    vips: tuple[Vip, ...] = ()
    vip_listener_url: str = ""

    @property
    def client_ipv4(self) -> tuple[IPv4Address, ...]:
        """Where clients find it by IPv4: its VIPs, else its own addresses."""
        return tuple(one.ipv4 for one in self.vips if one.ipv4 is not None) or self.ipv4

    @property
    def client_ipv6(self) -> tuple[IPv6Address, ...]:
        """Where clients find it by IPv6: its VIPs, else its own addresses."""
        return tuple(one.ipv6 for one in self.vips if one.ipv6 is not None) or self.ipv6


@dataclass(frozen=True, slots=True)
class SiteChoice:
    """A site that may serve the clients of a coverage. Those of the lowest `order` share them by
    `weight` (None: as their capacities are); a higher order is asked only when none of the lower
    can serve.
    """

    site: str
    weight: float | None = None
    order: int = 1


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which sites serve whom: clients of `networks`, and of `prefixes`.

    With `default`, those of no other coverage. A longer prefix comes before a shorter one, whoever
    wrote it. `learnt` says what of the ISP's announcements is among the prefixes.
    """

    name: str
    sites: tuple[SiteChoice, ...]
    networks: tuple[str, ...] = ()
    prefixes: PrefixSet = field(default=NO_PREFIXES, repr=False)
    default: bool = False
    learnt: LearntRules | None = None


@dataclass(frozen=True, slots=True)
class Widening:
    """When a shard is held by more servers than one: its width doubles when the demand for it
    exceeds `above` × a server's fair share for each server that holds it, and halves when it is
    below `below` ×. Never more than `most` servers (None: all of the site).
    """

    above: float = 0.25
    below: float = 0.1
    most: int | None = None


@dataclass(frozen=True, slots=True)
class ContentClass:
    """Requests that are treated alike. The first class that matches is a request's.

    `hosts` are host patterns and `paths` shell patterns, empty: all; `kinds` are kinds of content
    (see `http.content`). `shard_key` makes the shard's name of host and path (see
    `shard_key`). `server_host` is the name that clients are sent to, "{server}" standing for the
    server's name ("": its own host).
    """

    name: str
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    shard_pattern: re.Pattern[str] | None = None
    shard_key: str = "{path}"
    replicas: int = 1
    widening: Widening | None = None
    tiering: bool = True
    store: StoreBy = StoreBy.OWN
    popular_after: int = 3
    external: bool = True
    redirect: Redirect = Redirect.FOUND
    server_host: str = ""
    ttl_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Maintenance that is known before: a server, or all of a site, is withdrawn from `start` to
    `end`, in Unix time, and drains for `drain_s` before.
    """

    start: float
    end: float
    server: str = ""
    site: str = ""
    reason: str = ""
    drain_s: float = 0.0


class _Named:
    """Finds sites and servers by name, in tables that are made when they are first needed and are
    no part of the value."""

    __slots__ = ("_servers_by_name", "_sites_by_name")

    sites: tuple[Site, ...]
    servers: tuple[Server, ...]
    _sites_by_name: dict[str, Site]
    _servers_by_name: dict[str, Server]

    def site(self, name: str) -> Site:
        """Return a site. Raises KeyError."""
        try:
            return self._sites_by_name[name]
        except AttributeError:
            known = {site.name: site for site in self.sites}
            object.__setattr__(self, "_sites_by_name", known)
            return known[name]

    def server(self, name: str) -> Server:
        """Return a server. Raises KeyError."""
        try:
            return self._servers_by_name[name]
        except AttributeError:
            known = {server.name: server for server in self.servers}
            object.__setattr__(self, "_servers_by_name", known)
            return known[name]


@dataclass(frozen=True, slots=True)
class Topology(_Named):
    """The whole network."""

    networks: tuple[ClientNetwork, ...] = ()
    sites: tuple[Site, ...] = ()
    servers: tuple[Server, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    classes: tuple[ContentClass, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    name: str = ""

    def servers_of(self, site: str) -> tuple[Server, ...]:
        """Return the servers of a site."""
        return tuple(server for server in self.servers if server.site == site)
