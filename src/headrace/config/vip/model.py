"""The whole configuration of the process that announces a server's addresses."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from headrace.config.base import FilePath, Model
from headrace.config.network_member import NetworkMember
from headrace.config.node import NodeConfig
from headrace.config.vip.checking import (
    MOST_CHECKS,
    Checking,
    CheckTable,
    EdgeAdmin,
    NeighbourTable,
)
from headrace.config.vip.handing import HandoverTable
from headrace.config.vip.speaking import MOST_ROUTERS, RouterSession, Speaking


class VipMember(NetworkMember):
    """The network that this server belongs to, and which server of it this is."""

    server: str = Field(
        min_length=1,
        max_length=128,
        description="The name of the server, in the network's description, that this is.",
    )

    @property
    def me(self) -> str:
        """The server that this is."""
        return self.server


class Binding(Model):
    """Where the addresses of VIPs are bound."""

    interface: str = Field(
        default="lo",
        pattern=r"^[^/\s]{1,15}$",
        description="The interface that has them, as /32 and /128.",
    )
    bind: bool = Field(
        default=True,
        description="Bind them, and remove what was bound. `false`: somebody else does, and a VIP "
        "that is not there is not announced.",
    )


class VipConfig(NodeConfig):
    """Everything the process needs to know. TOML keys drop the unit suffix of the attribute."""

    workers: int = Field(
        default=1, ge=1, le=1, description="One process checks and announces: always 1."
    )
    state_directory: FilePath = Field(
        alias="state_dir",
        description="Where it keeps orders of operators, what it has bound, how far it drains, its "
        "admin token and the last good description; made if missing.",
    )
    network: VipMember = Field(description="The network, and which server of it this is.")
    speaker: Speaking = Field(description="The program that speaks BGP.")
    routers: list[RouterSession] = Field(
        min_length=1, max_length=MOST_ROUTERS, description="The routers that it speaks with."
    )
    addresses: Binding = Field(
        default_factory=Binding, description="Where the addresses of VIPs are bound."
    )
    checking: Checking = Field(default_factory=Checking, description="How VIPs are checked.")
    checks: list[CheckTable] = Field(
        min_length=1, max_length=MOST_CHECKS, description="What the edge is asked for at each VIP."
    )
    edge: EdgeAdmin | None = Field(
        default=None, description="The admin API of the edge on this machine. Unset: none."
    )
    neighbours: NeighbourTable = Field(
        default_factory=NeighbourTable, description="How the other servers of the site are asked."
    )
    handover: HandoverTable = Field(
        default_factory=HandoverTable,
        description="Whether open connections outlive the move of their VIP to another server.",
    )

    @property
    def state_dir(self) -> Path:
        """The directory of everything that survives a restart."""
        return self.state_directory

    @property
    def routes_stay(self) -> bool:
        """Whether a router keeps routes while the speaker starts again."""
        return any(one.graceful_restart_s for one in self.routers)
