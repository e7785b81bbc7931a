"""The whole configuration of one router. Its tables `[network]` and `[dns]` have models of their
own.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from headrace.config.access_log import AccessLog
from headrace.config.base import FilePath, Model, Written
from headrace.config.network_member import NetworkMember
from headrace.config.node import NodeConfig
from headrace.config.router.dns import Dns
from headrace.config.units import DurationS
from headrace.http.hosts import normalise_host_pattern

SHORTEST_TOKEN = 16
UNIX = "unix"


def _prefix_text(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(
            f"{text!r} is no network: write 10.0.0.0/8 or 2001:db8::/32, with no bit set behind "
            "the prefix"
        ) from None


def _proxy_text(text: str) -> str:
    return text if text == UNIX else _prefix_text(text)


PrefixText = Annotated[str, AfterValidator(_prefix_text), Written("network")]
ProxyText = Annotated[str, AfterValidator(_proxy_text), Written("network")]
HostPattern = Annotated[str, AfterValidator(normalise_host_pattern), Written("host pattern")]


class Debug(Model):
    """Who may see how a decision was made."""

    networks: list[PrefixText] = Field(
        default=[], max_length=1000, description="Clients in these networks may."
    )
    token: str | None = Field(
        default=None,
        min_length=SHORTEST_TOKEN,
        repr=False,
        description="Whoever shows this bearer token may. Prefer `token_file`.",
    )
    token_file: FilePath | None = Field(
        default=None, description="A file that holds the token. Read at the start and at a reload."
    )

    @model_validator(mode="after")
    def _one_token_source(self) -> Debug:
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file exclude each other: keep token_file")
        return self


class Steering(Model):
    """What players are told that ask again and again in mid-stream (content steering)."""

    ttl_s: DurationS = Field(
        default=30.0, ge=1, le=3600, description="After how long a player asks again."
    )
    keep: bool = Field(
        default=True,
        description="Leave a player where it is while the server there is online and no site of "
        "a better order has come back. With `false` it follows every change of weights.",
    )
    min_throughput: int = Field(
        default=1_000_000,
        ge=0,
        le=10**12,
        description="Bits a second. A player that reports less, and has another place to go to, is "
        "sent there. The parameter `need` of the steering URI says otherwise for one programme. 0: "
        "never.",
    )


class RouterConfig(NodeConfig):
    """Everything a router needs to know.

    TOML keys drop the unit suffix of the attribute.
    """

    state_directory: FilePath = Field(
        alias="state_dir",
        description="Where the router keeps its admin token and the last good description of the "
        "network; made if missing.",
    )
    network: NetworkMember = Field(description="The network that clients are routed in.")
    geo_file: FilePath | None = Field(
        default=None,
        description="A file in MaxMind's format (`.mmdb`) that says where addresses are: it orders "
        "the sites for clients that no coverage lists. It is watched; a broken one is refused.",
    )
    trusted_proxies: list[ProxyText] = Field(
        default=[],
        max_length=1000,
        description='Networks of proxies in front of the router, and `"unix"` for whoever connects '
        "by a Unix socket. Only they are believed whom they speak for.",
    )
    forwarded_field: Literal["X-Forwarded-For", "Forwarded"] = Field(
        default="X-Forwarded-For",
        description="The field in which they say it. The other one is ignored.",
    )
    api_hosts: list[HostPattern] = Field(
        default=["*"],
        min_length=1,
        description="Host patterns under which `/v1/locate` and `/v1/steering` are the router's "
        "own; under others they are content like any path.",
    )
    redirect_max_age_s: DurationS = Field(
        default=0.0,
        le=3600,
        description="For how long a client may keep a redirect, and never longer than the class's "
        "`ttl`. With 0 it asks each time, so that a retry may lead to another server.",
    )
    retry_after_s: DurationS = Field(
        default=5.0,
        le=3600,
        description="When clients are to ask again if there is no server for them (503).",
    )
    debug: Debug = Field(default_factory=Debug, description="The debug answer.")
    steering: Steering = Field(default_factory=Steering, description="Content steering.")
    access_log: AccessLog = Field(default_factory=AccessLog, description="The access log.")
    dns: Dns | None = Field(
        default=None, description="The router as a DNS server. Unset: it is none."
    )

    @property
    def state_dir(self) -> Path:
        """The directory of the last good description and the admin token."""
        return self.state_directory
