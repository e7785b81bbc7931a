"""The models of what is checked before a VIP is announced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headrace.config.base import FilePath, Model
from headrace.config.network_member import BaseUrlText
from headrace.config.units import DurationS

MOST_CHECKS = 16


class Checking(Model):
    """How VIPs are checked."""

    interval_s: DurationS = Field(
        default=0.2, ge=0.05, le=10.0, description="Each VIP is checked once in so long."
    )
    timeout_s: DurationS = Field(
        default=0.5,
        ge=0.02,
        le=10.0,
        description="What a whole check may take, from connecting to the last byte.",
    )
    connection_s: DurationS = Field(
        default=1.0,
        ge=0.0,
        le=60.0,
        description="A connection is kept for the next checks for so long; then a new one is made, "
        "with a handshake. 0: each check makes its own.",
    )
    failures: int = Field(
        default=2,
        ge=1,
        le=20,
        description="So many checks in a row without an answer in time count as a failure. What "
        "fails for certain (nothing listens, another certificate, other bytes) counts at once.",
    )
    successes: int = Field(
        default=3,
        ge=1,
        le=100,
        description="So many checks in a row must find a VIP served before it is announced.",
    )
    half_life_s: DurationS = Field(
        default=60.0,
        ge=1.0,
        le=3600.0,
        description="Failures are forgotten by half in so long. The third within half of it damps "
        "the VIP for about twice as long: it is announced, but worse than by others.",
    )
    ca: FilePath | None = Field(
        default=None,
        description="A PEM file of the authorities that sign the edge's certificates. Unset: the "
        "system's.",
    )
    watchdog_s: DurationS = Field(
        default=3.0,
        ge=0.3,
        le=30.0,
        description="When the process that checks has not come to a decision for so long, what it "
        "announced is withdrawn, and it is killed and started again.",
    )


class CheckTable(Model):
    """A small object that the edge is asked for at each VIP. With several, they take turns."""

    host: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[!-.0-~]+$",
        description="The host that is asked for; also the name that the certificate must have.",
    )
    path: str = Field(
        pattern=r"^/[!-~]{0,1023}$", description="Its path and query: `/headrace/probe`."
    )
    https: bool | Literal["auto"] = Field(
        default="auto",
        description="Whether it is asked for by TLS. `auto`: where the server has an `https_port`.",
    )
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="What its body is, in hex. Unset: any body.",
    )
    stored: bool = Field(
        default=False,
        description="It must come from the store (`hit` in `Cache-Status`). While it does not, the "
        "VIP is announced worse than by others.",
    )


class EdgeAdmin(Model):
    """The admin API of the edge on this machine: whether it is ready, its clients, its draining."""

    admin: BaseUrlText = Field(description="Where it answers: `http://127.0.0.1:9090`.")
    token_file: FilePath | None = Field(
        default=None,
        description="The edge's admin token. With it, the edge drains and returns with the server, "
        "and its connections are counted. Unset: times alone decide.",
    )


class NeighbourTable(Model):
    """How the other servers of the site are asked what they announce, before this one leaves."""

    port: int = Field(
        default=8093,
        ge=1,
        le=65535,
        description="The port of their `[[listen]]`, at their own addresses.",
    )
    interval_s: DurationS = Field(
        default=1.0, ge=0.1, le=2.0, description="Each is asked once in so long."
    )
    timeout_s: DurationS = Field(
        default=0.8, ge=0.05, le=2.0, description="What one may take. Less than `interval`."
    )
