"""The whole configuration of one edge, and the checks that span several of its tables."""

from __future__ import annotations

import os
from typing import Literal, Self

from pydantic import Field, model_validator

from headrace.config.base import FilePath, Model
from headrace.config.server import (
    AccessLog,
    Admin,
    Certificate,
    Limits,
    Listener,
    Metrics,
    StoreOptions,
    Timeouts,
    TlsOptions,
)
from headrace.config.service import Service
from headrace.config.units import DurationS

MOST_WORKERS_BY_DEFAULT = 8


def default_workers() -> int:
    """One worker for each processor, eight at most."""
    return min(os.cpu_count() or 1, MOST_WORKERS_BY_DEFAULT)


class Config(Model):
    """Everything an edge needs to know.

    TOML keys drop the unit suffix of the attribute.
    """

    server_name: str = Field(
        default="headrace",
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$",
        description="The name that this edge gives itself in Via and Cache-Status.",
    )
    workers: int = Field(
        default_factory=default_workers,
        ge=1,
        le=256,
        description="Worker processes. Unset: one for each processor, eight at most.",
    )
    cache_dir: FilePath = Field(
        description="The directory of the store; made if missing. One edge per directory."
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
    store: StoreOptions = Field(default_factory=StoreOptions, description="The store.")
    limits: Limits = Field(default_factory=Limits, description="Limits on clients.")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="Timeouts.")
    access_log: AccessLog = Field(default_factory=AccessLog, description="The access log.")
    metrics: Metrics = Field(default_factory=Metrics, description="Metrics.")
    services: list[Service] = Field(min_length=1, description="What is served.")

    def to_json(self) -> str:
        """The configuration with its secrets, for the channel to a worker. Never log it."""
        return self.model_dump_json(by_alias=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The inverse of `to_json`."""
        return cls.model_validate_json(text)

    @model_validator(mode="after")
    def _tls_has_a_certificate(self) -> Self:
        if not self.certificates and any(listener.tls for listener in self.listeners):
            raise ValueError(
                "a listener has tls = true but there is no certificate: add a [[certificate]] "
                "table with cert and key"
            )
        return self
