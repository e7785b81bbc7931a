"""What a role is to the node that carries it: the supervisor's part, and the part of its workers.

A node is a supervisor and its worker processes: it reserves addresses, keeps workers alive,
reloads in two steps, holds certificates, tells systemd, answers operators. A role fills in what
is delivered. It is two classes: a Role, one in the supervisor, and a WorkerRole, one in each
worker. Neither side knows the other; what they say to each other goes through
`Workers.ask_each` and `WorkerRole.answer`.

What a role need not have has a default here, for classes that name the Protocol as their base.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from headrace.config.node import NodeConfig
from headrace.config.root import Root
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import Handler
from headrace.node.admin.operations import Operations
from headrace.node.running import Node
from headrace.telemetry.facts import RoleFacts
from headrace.telemetry.metrics import Snapshot
from headrace.telemetry.report import Report
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View

ConfigT = TypeVar("ConfigT", bound=NodeConfig)


class Change(Protocol):
    """A new configuration, prepared: all that can fail has been done, and nothing is changed yet.

    One of the two is called, once. Neither may raise.
    """

    def commit(self) -> None:
        """Work by the new configuration from now on."""
        ...

    def abandon(self) -> None:
        """Release what was prepared; the old configuration stays."""
        ...


@dataclass(frozen=True, slots=True)
class AtCommit:
    """A change that holds nothing, and does `adopt` when it is committed."""

    adopt: Callable[[], None] | None = None

    def commit(self) -> None:
        """Do what is to be done."""
        if self.adopt is not None:
            self.adopt()

    def abandon(self) -> None:
        """Release nothing."""


class Role(Protocol[ConfigT]):
    """A role in the supervisor. One object serves one run of one node.

    Called in this order: `open`; `operations`; when all workers serve, `started`; at each reload
    `prepare`; at the end `close`, also after an `open` that raised.
    """

    @property
    def name(self) -> str:
        """Its name in messages and logs: "edge"."""
        ...

    @property
    def root(self) -> Root[ConfigT]:
        """Its kind of configuration file."""
        ...

    @property
    def worker_command(self) -> Sequence[str]:
        """The command of a worker process; the descriptor of its channel is put behind it."""
        ...

    @property
    def report(self) -> type[Report]:
        """The model of its report: what `facts` adds to what every node reports."""
        return Report

    def fixed(self, config: ConfigT) -> Mapping[str, object]:
        """Return what a reload cannot change: each setting's name in the file, and its value."""
        return {}

    async def open(self, config: ConfigT) -> None:
        """Take what the supervisor holds beside its workers. Raises HeadraceError or OSError."""
        return

    def started(self) -> None:
        """Begin what runs beside the workers while they serve."""
        return

    async def prepare(self, config: ConfigT) -> Change:
        """Make ready what `open` took for a new configuration. Raises HeadraceError or OSError."""
        return AtCommit()

    def problem(self) -> str:
        """Return why to send no clients here, beside what the node finds; "" for nothing."""
        return ""

    def impairment(self) -> str:
        """Return why clients would be better off elsewhere, though they are served here; "" for
        nothing.
        """
        return ""

    async def facts(self) -> RoleFacts:
        """Return what metrics and report say of the role beside its workers' counts."""
        return RoleFacts()

    def operations(self, node: Node) -> Operations:
        """Return what the admin API offers beside what it offers for every role."""
        return ()

    async def close(self) -> None:
        """Release everything; may be called before `open` has come to its end."""
        return


class WorkerRole(Protocol[ConfigT]):
    """A role in a worker process. One object serves one worker's life.

    `open` comes first and `close` last, also after an `open` that raised.
    """

    outlives_supervisor: bool = True
    """Whether it finishes its responses when its supervisor has died; else it ends at once."""
    accepts_per_s: float = math.inf
    """How many connections it lets in: fewer where answers are not its first duty."""

    @property
    def model(self) -> type[ConfigT]:
        """The class that configurations are read into."""
        ...

    def open(self, config: ConfigT, loop: asyncio.AbstractEventLoop) -> Handler:
        """Take what serving needs; return who answers requests.

        Raises HeadraceError or OSError.
        """
        ...

    def prepare(self, config: ConfigT) -> Change:
        """Build all that a new configuration needs. Raises HeadraceError or OSError."""
        ...

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Work by this description of the network and this view of its state from now on.

        Called only where the configuration has a `[network]`: between `open` and the first
        client, and again whenever one of the two has changed; what is unchanged is the same
        object as before. May not raise.
        """
        return

    def drain(self, *, draining: bool) -> None:
        """Note whether clients are to go elsewhere; the node closes their connections."""
        return

    def problem(self) -> str:
        """Return why a request could not be served now, beside what the node checks; "" if it
        could.
        """
        return ""

    def snapshot(self) -> Snapshot:
        """Return the worker's counts."""
        ...

    def answer(self, question: msgspec.Raw, server: ServerContext) -> msgspec.Struct | None:
        """Answer what the role's operations ask; None where no answer is wanted.

        Raises msgspec.DecodeError on a question that this role does not know.
        """
        raise msgspec.DecodeError("this role has no questions")

    def reopen_logs(self) -> None:
        """Open the log files again, after a rotation. Raises HeadraceError or OSError."""
        return

    async def close(self) -> None:
        """Release everything."""
        return
