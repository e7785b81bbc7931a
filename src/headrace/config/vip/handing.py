"""How packets of connections that this server does not know reach the server that has them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headrace.config.base import Model
from headrace.config.units import DurationS


class HandoverTable(Model):
    """Whether open connections outlive the move of their VIP to another server."""

    enabled: bool | Literal["auto"] = Field(
        default="auto",
        description="Pass on what is not known here, and take what others pass on. `auto`: where "
        "the machine can, and without a complaint where it cannot.",
    )
    port: int = Field(
        default=8094,
        ge=1,
        le=65535,
        description="The UDP port of the tunnel between the servers: the same on all of a site.",
    )
    most_packets: int = Field(
        default=100_000,
        ge=100,
        le=100_000_000,
        description="So many packets are passed on in a second, to each server and in each family. "
        "What is more is dropped.",
    )
    keep_s: DurationS = Field(
        default=3600.0,
        ge=1,
        le=86_400,
        description="For how long after a VIP has come here, what is not known goes to the server "
        "that had it before.",
    )
