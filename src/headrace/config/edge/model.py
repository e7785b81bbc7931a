"""The whole configuration of one edge, and the checks that span several of its tables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from headrace.config.access_log import AccessLog
from headrace.config.base import FilePath
from headrace.config.edge.options import Limits, Metrics, StoreOptions, Timeouts
from headrace.config.edge.service import Service
from headrace.config.network_member import EdgeMember
from headrace.config.node import NodeConfig
from headrace.config.server import Certificate


class Config(NodeConfig):
    """Everything an edge needs to know.

    TOML keys drop the unit suffix of the attribute.
    """

    cache_dir: FilePath = Field(
        description="The directory of the store; made if missing. One edge per directory."
    )
    store: StoreOptions = Field(default_factory=StoreOptions, description="The store.")
    limits: Limits = Field(default_factory=Limits, description="Limits on clients.")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="Timeouts.")
    access_log: AccessLog = Field(default_factory=AccessLog, description="The access log.")
    metrics: Metrics = Field(default_factory=Metrics, description="Metrics.")
    network: EdgeMember | None = Field(
        default=None, description="The network that this edge belongs to. Unset: none."
    )
    services: list[Service] = Field(min_length=1, description="What is served.")

    @property
    def state_dir(self) -> Path:
        """The directory of the store."""
        return self.cache_dir

    @property
    def all_certificates(self) -> list[Certificate]:
        """Those that clients see, and the one that is shown to other servers."""
        tiering = None if self.network is None else self.network.tiering
        if tiering is None or tiering.cert is None or tiering.key is None:
            return self.certificates
        return [*self.certificates, Certificate(cert=tiering.cert, key=tiering.key)]
