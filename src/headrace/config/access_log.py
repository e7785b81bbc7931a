"""The model of the access log, of any role that writes one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headrace.config.base import FilePath, Model


class AccessLog(Model):
    """One line of JSON for each request."""

    path: Literal["-"] | FilePath | None = Field(
        default=None, description="A file, or `-` for standard output. Unset: no access log."
    )
    sample: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="The share of successful requests (2xx, 3xx) logged; errors are always logged.",
    )
    client_address: Literal["full", "truncated", "none"] = Field(
        default="truncated",
        description="`truncated` keeps 24 bits of an IPv4 address and 48 of an IPv6 one.",
    )
    cmcd: bool = Field(
        default=False,
        description="Also log what players say of themselves with a request (CMCD, CTA-5004): "
        "whether the buffer ran empty, measured throughput, and what is in the buffer.",
    )
