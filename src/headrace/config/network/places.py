"""The models of who is served and of what serves: networks, sites, servers, coverage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from headrace.config.base import FilePath, Model
from headrace.config.network.learnt import LearntTable
from headrace.config.network.vips import MOST_VIPS, AnnounceTable, VipTable
from headrace.config.network.words import (
    AdminUrl,
    BaseUrl,
    CapacityBps,
    Continent,
    Coordinates,
    Country,
    HostName,
    Ipv4Text,
    Ipv6Text,
    Name,
    Port,
    PrefixText,
    Weight,
)
from headrace.config.units import SizeBytes

MOST_INLINE_PREFIXES = 10_000
MOST_SERVERS = 100_000
MOST_SERVERS_OF_A_SITE = 1000
MOST_TIMES_THE_CAPACITY = 1000
_AsNumber = Annotated[int, Field(ge=1, le=4294967295)]
_PREFIXES = "Prefixes: `192.0.2.0/24`, `2001:db8::/32`. Many are better in a file."
_PREFIX_FILE = (
    "A file with more prefixes, one a line; what follows `#` is a comment. It is watched as this "
    "file is."
)


class NetworkTable(Model):
    """A network of clients: an ISP."""

    name: Name = Field(description="A unique short name.")
    as_numbers: list[_AsNumber] = Field(
        default=[], max_length=10_000, description="Its AS numbers, for people and reports."
    )
    prefixes: list[PrefixText] = Field(
        default=[], max_length=MOST_INLINE_PREFIXES, description=_PREFIXES
    )
    prefix_file: FilePath | None = Field(default=None, description=_PREFIX_FILE)


class SiteTable(Model):
    """A place with servers, or somebody else's CDN."""

    name: Name = Field(description="A unique short name.")
    kind: Literal["edge", "mid", "external"] = Field(
        default="edge",
        description="`edge` serves clients; `mid` stands between edge sites and the origins; "
        "`external` is somebody else's CDN, which takes overflow and stands in when nothing else "
        "is left.",
    )
    network: Name | None = Field(
        default=None, description="The network that it stands in. Unset: no ISP's."
    )
    coordinates: Coordinates | None = Field(
        default=None,
        description="Where it is, in degrees: `[59.91, 10.75]`. For clients that no coverage "
        "names.",
    )
    country: Country | None = Field(
        default=None, description="Its country, as ISO 3166 writes it: `NO`."
    )
    continent: Continent | None = Field(default=None, description="Its continent.")
    capacity_bps: CapacityBps | None = Field(
        default=None,
        description="What its lines carry. Unset: as much as its servers together.",
    )
    target_utilisation: float = Field(
        default=0.8, gt=0, le=1, description="The share of the capacity that it is to be used to."
    )
    price_per_gb: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="What a gigabyte costs from here, in any currency. Of sites that may take an "
        "overflow alike, the cheapest does.",
    )
    preference: int = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="Of those that cost the same, the one with the highest preference does.",
    )
    parents: list[Name] = Field(
        default=[],
        max_length=16,
        description="The mid sites that its servers ask before the origins, in order.",
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description="For an external site: what it serves is found there, under its own path and "
        "query.",
    )
    announce: AnnounceTable | None = Field(
        default=None, description="How its servers announce their VIPs."
    )


class ServerTable(Model):
    """A caching server of a site."""

    name: Name = Field(description="A unique short name, by which an edge knows itself.")
    site: Name = Field(description="Its site.")
    host: HostName = Field(description="The name that clients are sent to.")
    ipv4: list[Ipv4Text] = Field(default=[], max_length=16, description="Its IPv4 addresses.")
    ipv6: list[Ipv6Text] = Field(default=[], max_length=16, description="Its IPv6 addresses.")
    http_port: Port = Field(
        default=80, description="Where it serves clients without TLS. 0: nowhere."
    )
    https_port: Port = Field(default=443, description="Where it serves them with TLS. 0: nowhere.")
    peer_port: Port = Field(
        default=0, description="Where other servers ask it. 0: where clients do."
    )
    peer_tls: bool = Field(default=False, description="Whether other servers ask it with TLS.")
    admin: AdminUrl | None = Field(
        default=None,
        description="Where its admin API answers those who steer the network: "
        "`http://192.0.2.1:9090`. Unset: its load is not asked for.",
    )
    vip_listener: AdminUrl | None = Field(
        default=None,
        description="Where its `headrace vip run` answers other nodes: `http://192.0.2.1:8093`. "
        "Unset: no node learns coverage from it, and the feedback loop does not know whether its "
        "VIPs are with its neighbours.",
    )
    capacity_bps: CapacityBps = Field(
        default=10_000_000_000,
        description="What it can send. Shards and clients are spread in proportion.",
    )
    storage_bytes: SizeBytes = Field(
        default=0, le=2**60, description="What its store may hold. 0: not known."
    )
    state: Literal["online", "draining", "withdrawn"] = Field(
        default="online",
        description="`draining` gets no new clients while others are left; `withdrawn` is left "
        "alone by all.",
    )
    vips: list[VipTable] = Field(
        default=[],
        max_length=MOST_VIPS,
        description="Addresses that clients are sent to in place of its own, and that its "
        'neighbours take over: `[{ ipv4 = "192.0.2.129" }, { ipv4 = "192.0.2.130" }]`.',
    )


class SiteChoiceTable(Model):
    """A site that may serve the clients of a coverage."""

    name: Name = Field(description="The site.")
    weight: Weight | None = Field(
        default=None,
        description="Its share of the clients, beside the other sites of the same order. Unset: by "
        "capacity; a site of average capacity has 1.",
    )
    order: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Those of the lowest order that can serve share the clients.",
    )


class CoverageTable(Model):
    """Which sites serve whom. The longest prefix that has a client's address decides."""

    name: Name = Field(description="A unique short name.")
    networks: list[Name] = Field(
        default=[], max_length=10_000, description="The networks whose clients are meant."
    )
    prefixes: list[PrefixText] = Field(
        default=[], max_length=MOST_INLINE_PREFIXES, description=_PREFIXES
    )
    prefix_file: FilePath | None = Field(default=None, description=_PREFIX_FILE)
    default: bool = Field(
        default=False, description="Also for the clients of no other coverage. One may be so."
    )
    sites: list[SiteChoiceTable] = Field(
        min_length=1,
        max_length=1000,
        description="The sites that serve them: "
        '`[{ name = "north" }, { name = "south", order = 2 }]`.',
    )
    learnt: LearntTable | None = Field(
        default=None,
        description="More prefixes, learnt from what the ISP's routers announce to servers.",
    )
