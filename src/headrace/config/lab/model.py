"""The models of a lab's topology: ISPs with their clients, sites, and what stands behind them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from headrace.config.base import Model
from headrace.config.network.vips import MOST_VIPS, AnnounceTable
from headrace.config.network.words import CapacityBps
from headrace.config.units import BitRateBps, DurationS, SizeBytes

MIB = 1024**2
MOST_ISPS = 4
MOST_CLIENTS = 16
MOST_SERVERS_OF_AN_ISP = 16
LabName = Annotated[str, Field(pattern=r"^[a-z](?:[a-z0-9-]{0,10}[a-z0-9])?$")]
AsNumber = Annotated[int, Field(ge=1, le=2**32 - 1)]


class LineTable(Model):
    """A line: what it carries each way, and how long that takes."""

    rate_bps: BitRateBps | None = Field(
        default=None,
        ge=100_000,
        le=10**11,
        description="What it carries each way. Unset: any.",
    )
    delay_s: DurationS = Field(
        default=0.0, ge=0, le=2, description="How long each way takes longer than on this machine."
    )
    loss: float = Field(default=0.0, ge=0, lt=1, description="The share of packets that are lost.")


class IspTable(Model):
    """An ISP: a router that runs BIRD, and clients behind it."""

    name: LabName = Field(description="A unique short name; also that of its router.")
    as_number: AsNumber = Field(alias="as", description="Its AS number.")
    clients: int = Field(
        default=1, ge=1, le=MOST_CLIENTS, description="How many machines of clients it has."
    )
    exchange: LineTable = Field(
        default_factory=LineTable, description="The line between its router and the exchange."
    )
    access: LineTable = Field(
        default_factory=LineTable, description="The line between its router and each client."
    )


class SiteTable(Model):
    """A site: servers, each with a line of its own to the router of the ISP that it stands in."""

    name: LabName = Field(description="A unique short name. With 1, 2, … behind it: its servers.")
    isp: LabName = Field(description="The ISP that it stands in.")
    as_number: AsNumber = Field(alias="as", description="The AS number of its servers.")
    servers: int = Field(
        default=3, ge=1, le=MOST_SERVERS_OF_AN_ISP, description="How many servers it has."
    )
    vips: int = Field(
        default=1,
        ge=1,
        le=MOST_VIPS,
        description="How many VIPs each server has.",
    )
    hold_time_s: DurationS = Field(
        default=3.0,
        ge=3,
        le=240,
        description="After so long without a word, server and router give each other up.",
    )
    bfd: bool = Field(
        default=False, description="Whether they also watch each other by BFD. Needs FRR's bfdd."
    )
    half_life_s: DurationS = Field(
        default=5.0,
        ge=1,
        le=3600,
        description="After so long, its servers have forgotten half of what failed: so short, for "
        "whoever breaks things again and again is not to wait for their damping.",
    )
    capacity_bps: CapacityBps = Field(
        default=100_000_000, description="What the network's description says a server can send."
    )
    line: LineTable = Field(default_factory=LineTable, description="The line of each server.")
    announce: AnnounceTable = Field(
        default_factory=AnnounceTable, description="How its servers announce their VIPs."
    )


class LabConfig(Model):
    """A network on one machine, each part of it in a network namespace of its own."""

    name: LabName = Field(
        default="lab", description="What the lab is called. Labs of different names run at once."
    )
    isps: list[IspTable] = Field(
        alias="isp", min_length=1, max_length=MOST_ISPS, description="The ISPs."
    )
    sites: list[SiteTable] = Field(
        alias="site", min_length=1, max_length=MOST_ISPS * 4, description="The sites."
    )
    mids: int = Field(
        default=1, ge=0, le=4, description="How many servers the site before the origins has."
    )
    origins: int = Field(default=2, ge=1, le=4, description="How many origins there are.")
    routers: int = Field(
        alias="routers", default=1, ge=1, le=2, description="How many request routers."
    )
    observers: int = Field(
        alias="observers",
        default=2,
        ge=0,
        le=5,
        description="How many observers the feedback loop has. 0: no loop.",
    )
    tls: bool = Field(
        default=False,
        description="Whether servers also serve by TLS: with certificates of an authority of the "
        "lab's own, `ca.pem` in its directory, and one secret for the tickets of all.",
    )
    store_bytes: SizeBytes = Field(
        default=64 * MIB, ge=16 * MIB, description="What the store of each server holds."
    )
