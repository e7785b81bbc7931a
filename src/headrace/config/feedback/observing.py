"""The models of what a feedback process observes: probes, reports, and the other observers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headrace.config.base import FilePath, Model
from headrace.config.network_member import BaseUrlText
from headrace.config.units import DurationS

MOST_OBSERVERS = 32
MOST_PROBES = 64
MOST_ROUTERS = 1000
_NODE_ID = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$"


class ObserverTable(Model):
    """One of the feedback processes that observe the network together."""

    node_id: str = Field(pattern=_NODE_ID, description="Its `node_id`.")
    url: BaseUrlText = Field(
        description="Where the others reach its listener: `http://192.0.2.1:8091`."
    )


class Probing(Model):
    """How servers are probed."""

    interval_s: DurationS = Field(
        default=1.0, ge=0.1, le=60.0, description="Each server is probed once in so long."
    )
    timeout_s: DurationS = Field(
        default=0.8,
        ge=0.05,
        le=30.0,
        description="What a whole probe may take, from connecting to the last byte. Less than "
        "`interval`.",
    )
    slow_s: DurationS = Field(
        default=0.5,
        ge=0.001,
        le=30.0,
        description="A body that is whole and right, but took longer, is slow.",
    )
    ca: FilePath | None = Field(
        default=None,
        description="A PEM file of the authorities that sign the servers' certificates. Unset: "
        "the system's.",
    )
    keep_alive: bool = Field(
        default=False,
        description="Keep connections for the next probe. Without, each probe connects as a new "
        "client does.",
    )


class ProbeTable(Model):
    """A small object that every server is asked for. With several, they take turns."""

    host: str = Field(
        min_length=1, max_length=253, description="The host that is asked for; also TLS's name."
    )
    path: str = Field(
        pattern=r"^/[!-~]{0,1023}$", description="Its path and query: `/headrace/probe`."
    )
    https: bool | Literal["auto"] = Field(
        default="auto",
        description="Whether it is asked for by TLS. `auto`: where the server has an `https_port`, "
        "by TLS.",
    )
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="What its body is, in hex. Unset: what most servers answer is right.",
    )


class RouterTable(Model):
    """A router whose report is pulled."""

    name: str = Field(pattern=_NODE_ID, description="Its `node_id`.")
    admin: BaseUrlText = Field(description="Its admin API: `http://192.0.2.1:9091`.")


class Reports(Model):
    """How reports of servers and routers are pulled, at the admin APIs that the description and
    `[[router]]` name.
    """

    token_file: FilePath | None = Field(
        default=None,
        description="A file with the bearer token that the nodes' `admin.report_token_file` has, "
        "or their admin token. Unset: no report is pulled.",
    )
    interval_s: DurationS = Field(
        default=1.0, ge=0.1, le=60.0, description="Each is pulled once in so long."
    )
    timeout_s: DurationS = Field(
        default=0.8, ge=0.05, le=30.0, description="What one may take. Less than `interval`."
    )
