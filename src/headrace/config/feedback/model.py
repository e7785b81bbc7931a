"""The whole configuration of one feedback process."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from headrace.config.base import FilePath, Model
from headrace.config.feedback.balance import BalanceTable
from headrace.config.feedback.observing import (
    MOST_OBSERVERS,
    MOST_PROBES,
    MOST_ROUTERS,
    ObserverTable,
    ProbeTable,
    Probing,
    Reports,
    RouterTable,
)
from headrace.config.feedback.states import StatesTable
from headrace.config.network_member import NetworkMember
from headrace.config.node import NodeConfig
from headrace.config.units import DurationS

MOST_SOCKETS = 64


class Publishing(Model):
    """Where the view goes, beside `GET /v1/view` on the listeners."""

    file: FilePath | None = Field(
        default=None, description="A file that is replaced with every view. Unset: none."
    )
    sockets: list[FilePath] = Field(
        default=[],
        max_length=MOST_SOCKETS,
        description="The `view_socket` of nodes on this machine.",
    )
    renew_s: DurationS = Field(
        default=30.0,
        ge=1.0,
        le=3600.0,
        description="A view that says nothing new is published again after so long, so that it "
        "does not age. Well below the nodes' `view_max_age`.",
    )


class FeedbackConfig(NodeConfig):
    """Everything a feedback process needs to know. TOML keys drop the unit suffix of the
    attribute.
    """

    workers: int = Field(
        default=1, ge=1, le=1, description="One process observes and decides: always 1."
    )
    state_directory: FilePath = Field(
        alias="state_dir",
        description="Where it keeps what it has decided, the wishes of operators, its history, "
        "its admin token and the last good description; made if missing.",
    )
    network: NetworkMember = Field(
        description="The network that is observed. Its `secret_file` is what observers and nodes "
        "know each other by."
    )
    observers_secret_file: FilePath | None = Field(
        default=None,
        description="A file with the secret by which observers know each other, in the form of "
        "`secret_file`; only they have it. It is read again when it changes. Unset: the secret of "
        "the network, so that every node which has that can speak as an observer.",
    )
    mode: Literal["states", "dry-run", "both"] = Field(
        default="both",
        description="`states`: failing servers leave and come back. `both`: traffic is balanced "
        "between sites as well. `dry-run`: what the balance would be is shown, and not done.",
    )
    tick_s: DurationS = Field(
        default=1.0, ge=0.1, le=60.0, description="A decision is made once in so long."
    )
    observers: list[ObserverTable] = Field(
        default=[],
        max_length=MOST_OBSERVERS,
        description="All feedback processes of the network, this one too, the same list at each: "
        "the first that lives decides. None: this one alone.",
    )
    probing: Probing = Field(default_factory=Probing, description="How servers are probed.")
    probes: list[ProbeTable] = Field(
        default=[], max_length=MOST_PROBES, description="What servers are asked for."
    )
    reports: Reports = Field(default_factory=Reports, description="How reports are pulled.")
    routers: list[RouterTable] = Field(
        default=[], max_length=MOST_ROUTERS, description="Routers whose reports are pulled."
    )
    states: StatesTable = Field(
        default_factory=StatesTable, description="When a server is taken out and comes back."
    )
    balance: BalanceTable = Field(
        default_factory=BalanceTable, description="How traffic is balanced between sites."
    )
    publish: Publishing = Field(default_factory=Publishing, description="Where the view goes.")

    @property
    def state_dir(self) -> Path:
        """The directory of everything that survives a restart."""
        return self.state_directory
