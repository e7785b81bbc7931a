"""The whole description of a network."""

from __future__ import annotations

from pydantic import Field

from headrace.config.base import Model
from headrace.config.network.classes import ClassTable
from headrace.config.network.places import (
    MOST_SERVERS,
    CoverageTable,
    NetworkTable,
    ServerTable,
    SiteTable,
)
from headrace.config.network.schedule import WithdrawalTable

MOST_WITHDRAWALS = 10_000


class NetworkConfig(Model):
    """A network: whom it serves, from which places, and how it treats what is asked for."""

    name: str = Field(
        default="",
        max_length=128,
        description="The name of the whole network. Views say it, and nodes refuse those of another"
        " network. Unset: every view that is signed with the secret is taken.",
    )
    networks: list[NetworkTable] = Field(
        default=[], alias="network", max_length=10_000, description="Networks of clients."
    )
    sites: list[SiteTable] = Field(
        default=[], alias="site", max_length=10_000, description="Sites."
    )
    servers: list[ServerTable] = Field(
        default=[], alias="server", max_length=MOST_SERVERS, description="Servers."
    )
    coverage: list[CoverageTable] = Field(
        default=[], max_length=10_000, description="Which sites serve whom."
    )
    classes: list[ClassTable] = Field(
        default=[], alias="class", max_length=256, description="Classes of content."
    )
    withdrawals: list[WithdrawalTable] = Field(
        default=[],
        alias="withdrawal",
        max_length=MOST_WITHDRAWALS,
        description="Maintenance that is known before.",
    )
