"""GET /report: the load of a node, for those who steer the network.

The cost is the same whoever asks how often: counts are read once in FRESH_S at most, and all who
ask meanwhile get the same report, with its age.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from headrace.node.admin.operations import NoRequest, Operation, Operations
from headrace.node.running import Node
from headrace.telemetry.flow_sums import FlowOrder
from headrace.telemetry.load_rates import NodeState, Reading, carried, load_report
from headrace.telemetry.load_report import LoadReport
from headrace.telemetry.machine import Machine
from headrace.telemetry.worker_load import GetLoad, WorkerLoad

FRESH_S = 0.5
LONGEST_S = 15.0
"""What was read longer ago says nothing of now: then a short time is waited for."""

MOST_SILENT = 4
"""A worker that says nothing so many times in a row is forgotten."""

ANSWER_S = 0.5
"""So long a worker is waited for; one that hangs has no part in the report."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a node is in reports. `stored_at` is a path on the disk that counts, `interface` the
    network interface (None: that of the default route).
    """

    name: str
    role: Literal["edge", "router"]
    stored_at: Path | None = None
    interface: str | None = None


class Reporter:
    """Makes the reports of one node."""

    def __init__(
        self,
        node: Node,
        identity: Callable[[], Identity],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._identity = identity
        self._clock = clock
        self._reading = asyncio.Lock()
        self._order = FlowOrder()
        self._before: Reading | None = None
        self._report: LoadReport | None = None
        self._machine: Machine | None = None
        self._silent = 0

    async def report(self, _asked: NoRequest) -> LoadReport:
        """Return the load since the report before."""
        async with self._reading:
            before = self._before
            age_s = 0.0 if before is None else self._clock() - before.at_s
            if before is None or age_s > LONGEST_S:
                before = self._before = await self._read()
                self._report = None
                await asyncio.sleep(FRESH_S)
            elif self._report is not None and age_s < FRESH_S:
                return msgspec.structs.replace(self._report, age_s=age_s)
            after = await self._read()
            self._report = load_report(before, after, self._order, self._state())
            self._before = after
            return self._report

    async def _read(self) -> Reading:
        if self._machine is None:
            identity = self._identity()
            self._machine = Machine(identity.stored_at, identity.interface)
        answers = await self._node.workers.ask_each(
            GetLoad(self._order.known), WorkerLoad, within_s=ANSWER_S
        )
        workers = {one.instance: one for one in answers}
        before = self._before
        self._silent = self._silent + 1 if before and before.workers.keys() - workers.keys() else 0
        if before is not None and self._silent <= MOST_SILENT:
            workers = carried(before, workers)
        self._order.take(workers)
        return Reading(self._clock(), workers, self._machine.use())

    def _state(self) -> NodeState:
        identity, reason = self._identity(), self._node.not_ready_because()
        return NodeState(
            identity.name,
            identity.role,
            ready=reason is None,
            draining=reason == "draining",
            impaired=bool(self._node.impairment()),
            processors=os.cpu_count() or 1,
        )


def load_operations(node: Node, identity: Callable[[], Identity]) -> Operations:
    """Return the operation, for a role whose workers answer GetLoad."""
    return (
        Operation(
            "GET",
            "/report",
            "The load of this node since the report before, for those who steer the network. The "
            "first one takes half a second.",
            Reporter(node, identity).report,
            LoadReport,
            "Rates, and what they are measured against.",
            for_reports=True,
        ),
    )
