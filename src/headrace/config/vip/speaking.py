"""The models of how BGP is spoken: the speaker, and the routers that it speaks with."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from headrace.config.base import FilePath, Model, Written
from headrace.config.units import DurationS

MOST_ROUTERS = 32
MOST_WITHIN = 1000
MOST_AS = 2**32 - 1
_TEXT = PlainSerializer(str, return_type=str, when_used="json")

AsNumber = Annotated[int, Field(ge=1, le=MOST_AS)]
AnyAddress = Annotated[IPv4Address | IPv6Address, _TEXT, Written("address")]
AnyPrefix = Annotated[IPv4Network | IPv6Network, _TEXT, Written("prefix")]


class Speaking(Model):
    """The program that speaks BGP."""

    kind: Literal["exabgp", "bird", "frr"] = Field(
        default="exabgp",
        description="`exabgp`: one is started and kept running. `bird`, `frr`: one that runs on "
        "this machine already, and has the sessions in its own configuration.",
    )
    as_number: AsNumber = Field(alias="as", description="The AS number of this server.")
    router_id: Annotated[IPv4Address, _TEXT, Written("IPv4 address")] | None = Field(
        default=None,
        description="The BGP identifier. Unset: the first `local_address` of IPv4; needed where "
        "there is none.",
    )
    user: str = Field(
        default="nobody",
        pattern=r"^[a-z_][a-z0-9_-]{0,31}$",
        description="Who ExaBGP runs as where this process is root.",
    )
    at_stop: Literal["withdraw", "keep"] = Field(
        default="withdraw",
        description="When this process is stopped: withdraw everything, or leave without a word, "
        "so that routers which were promised a graceful restart keep the routes for its time.",
    )
    bird_socket: FilePath | None = Field(
        default=None, description="The control socket of BIRD. Unset: `/run/bird/bird.ctl`."
    )
    bird_include: FilePath | None = Field(
        default=None,
        description="The file that is written for BIRD; its own configuration includes it. Unset: "
        "`/etc/bird/headrace.conf`.",
    )
    frr_sockets: FilePath | None = Field(
        default=None,
        description="The directory with the sockets of FRR's daemons. Unset: `/run/frr`.",
    )
    bfd_interval_s: DurationS = Field(
        default=0.1, ge=0.01, le=60.0, description="With `bfd`: the time between two packets."
    )
    bfd_multiplier: int = Field(
        default=3, ge=2, le=255, description="With `bfd`: so many missing packets in a row count."
    )


class RouterSession(Model):
    """A router, and the session with it. A session carries one family, that of its addresses."""

    address: AnyAddress = Field(description="The router's address.")
    local_address: AnyAddress = Field(description="The address of this server to speak from.")
    as_number: AsNumber = Field(alias="as", description="The router's AS number.")
    name: str = Field(
        default="",
        max_length=80,
        pattern=r"^[A-Za-z0-9 ._-]*$",
        description="What people call it, for logs and tables.",
    )
    hold_time_s: DurationS = Field(
        default=9.0,
        ge=3.0,
        le=65535.0,
        description="A router that hears nothing for so long drops the routes. Whole seconds.",
    )
    password_file: FilePath | None = Field(
        default=None,
        description=(
            "A file with the password of TCP-MD5 (RFC 2385), which others cannot read (mode 0640 "
            "or less). Unset: none."
        ),
    )
    ttl_security: int | None = Field(
        default=None,
        ge=1,
        le=254,
        description="How many hops away the router is (1: on the same link). What comes from "
        "farther is dropped (RFC 5082); the router must do the same. Unset: not checked.",
    )
    graceful_restart_s: DurationS = Field(
        default=0.0,
        ge=0.0,
        le=4095.0,
        description="For how long the router keeps the routes when this side goes without a word "
        "(RFC 4724). 0: it drops them at once.",
    )
    bfd: bool = Field(
        default=False,
        description="Watch the router by BFD: with `exabgp` by FRR's bfdd, which must be "
        "installed; `bird` and `frr` do it by their own configuration.",
    )
    bfd_multihop: bool = Field(
        default=False,
        description="Speak BFD as over several hops (RFC 5883), also to a router on the same link: "
        "FRR does so where TTL security is on. Where `ttl_security` is more than 1 it is done "
        "anyway.",
    )
    passive: bool = Field(default=False, description="Wait for the router to connect.")
    port: int = Field(default=179, ge=1, le=65535, description="The port of BGP.")
    most_prefixes: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="So many prefixes that the router announces are taken; 0: none. What comes "
        "beyond is dropped and reported, and the session stays up.",
    )
    within: list[AnyPrefix] = Field(
        default=[],
        max_length=MOST_WITHIN,
        description="Of what the router announces, only what is inside of one of these is taken. "
        "None: everything, but for default routes.",
    )
