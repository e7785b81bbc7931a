"""What every node needs to know, whatever its role: the base of each role's configuration."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from headrace.config.base import Model
from headrace.config.network_member import NetworkMember
from headrace.config.server import (
    Admin,
    Certificate,
    ClientLimits,
    ClientTimeouts,
    Listener,
    TlsOptions,
)
from headrace.config.units import DurationS

MOST_WORKERS_BY_DEFAULT = 8
LONGEST_NODE_ID = 64


def default_node_id() -> str:
    """Return the machine's host name, as far as it can be a node's id."""
    return node_id_of(socket.gethostname())


def node_id_of(host_name: str) -> str:
    """Return the id that a node has by its host name: a token (RFC 9110 section 5.6.2)."""
    return re.sub(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]", "-", host_name)[:LONGEST_NODE_ID] or "unnamed"


def default_workers() -> int:
    """Return one worker for each processor, eight at most."""
    return min(os.cpu_count() or 1, MOST_WORKERS_BY_DEFAULT)


class NodeConfig(Model):
    """What is the same for every role: processes, addresses, certificates, the admin API, limits.

    A role's configuration derives from this and says where its `state_dir` is.
    """

    node_id: str = Field(
        default_factory=default_node_id,
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$",
        description="The name of this node in Via and Cache-Status, which no other node between "
        "origin and viewer may have: by its own name in Via a node finds that a request came back "
        "to it. Unset: the host name.",
    )
    workers: int = Field(
        default_factory=default_workers,
        ge=1,
        le=256,
        description="Worker processes. Unset: one for each processor, eight at most.",
    )
    drain_timeout_s: DurationS = Field(
        default=30.0,
        description="How long running responses may take to end when the edge stops or reloads.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least serious events logged (to standard error)."
    )
    listeners: list[Listener] = Field(min_length=1, description="Addresses for clients.")
    certificates: list[Certificate] = Field(
        default=[],
        description="Certificates for TLS listeners, chosen by the name a client asks for. The "
        "first serves clients that ask for none or an unknown one.",
    )
    tls: TlsOptions = Field(default_factory=TlsOptions, description="How TLS listeners speak.")
    admin: Admin | None = Field(default=None, description="The admin API. Unset: none.")
    limits: ClientLimits = Field(default_factory=ClientLimits, description="Limits on clients.")
    timeouts: ClientTimeouts = Field(default_factory=ClientTimeouts, description="Timeouts.")
    network: NetworkMember | None = Field(
        default=None, description="The network that this node belongs to. Unset: none."
    )

    @property
    def state_dir(self) -> Path:
        """Where the node keeps what it makes for itself, such as its admin token."""
        raise NotImplementedError

    @property
    def all_certificates(self) -> list[Certificate]:
        """Every certificate that the node shows to anyone: they all end some day."""
        return self.certificates

    def to_json(self) -> str:
        """Return the configuration with its secrets, for the channel to a worker. Never log it."""
        return self.model_dump_json(by_alias=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return what `to_json` was made of."""
        return cls.model_validate_json(text)

    @model_validator(mode="after")
    def _tls_has_a_certificate(self) -> Self:
        if not self.certificates and any(listener.tls for listener in self.listeners):
            raise ValueError(
                "a listener has tls = true but there is no certificate: add a [[certificate]] "
                "table with cert and key"
            )
        return self
