"""What a supervisor knows at the moment when it is asked for metrics or its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.telemetry.network import NetworkFacts


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One worker process: its number, whether it serves, and what it has used.

    `started` is Unix seconds.
    """

    number: int
    pid: int
    ready: bool
    started: float
    cpu_s: float | None = None
    resident_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RoleMetric:
    """One number beside the workers' counts: `headrace_<name>`, with `_total` if it only grows."""

    name: str
    help: str
    value: float
    only_grows: bool = False


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What a role's supervisor knows beside its workers: as metrics, and as keys of the report."""

    metrics: tuple[RoleMetric, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the supervisor knows of the whole node at the moment of a scrape.

    `started` is Unix seconds; `not_ready_because` is None while clients are welcome; `listening`
    are the addresses in use. `certificates`: when they expire, Unix seconds, by file.
    `ticket_secret`: what tells the shared secret for session tickets from others; "" without one.
    """

    version: str
    python: str
    started: float
    not_ready_because: str | None
    draining: bool
    workers_wanted: int
    worker_exits: int
    reloads_succeeded: int
    reloads_failed: int
    listening: tuple[str, ...] = ()
    workers: tuple[WorkerFacts, ...] = ()
    workers_leaving: int = 0
    role: RoleFacts = RoleFacts()
    network: NetworkFacts | None = None
    certificates: Mapping[str, float] = field(default_factory=dict)
    ticket_secret: str = ""
