"""The feedback loop's part of the supervisor: its directory, and its operations for operators.

It observes nothing itself; that is `worker`'s.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence

from headrace.config.feedback import FEEDBACK
from headrace.config.feedback.model import FeedbackConfig
from headrace.feedback.admin.facts import FeedbackReport, feedback_facts
from headrace.feedback.admin.operations import operations
from headrace.node.admin.operations import Operations
from headrace.node.role import Role
from headrace.node.running import Node
from headrace.node.state_lock import StateLock
from headrace.telemetry.facts import RoleFacts
from headrace.telemetry.report import Report

WORKER_COMMAND = (sys.executable, "-m", "headrace.feedback.worker")


class FeedbackRole(Role[FeedbackConfig]):
    """The feedback loop in the supervisor."""

    name = "feedback"
    root = FEEDBACK

    @property
    def worker_command(self) -> Sequence[str]:
        """The command of its worker process."""
        return WORKER_COMMAND

    def __init__(self) -> None:
        self._config: FeedbackConfig
        self._node: Node | None = None
        self._lock: StateLock | None = None

    @property
    def report(self) -> type[Report]:
        """The model of its report."""
        return FeedbackReport

    def fixed(self, config: FeedbackConfig) -> Mapping[str, object]:
        """Return what a reload cannot change: who it is, and where it keeps what is its own."""
        return {"state_dir": config.state_directory, "node_id": config.node_id}

    async def open(self, config: FeedbackConfig) -> None:
        """Make the directory and keep it. Raises ConfigError or OSError."""
        self._config = config
        await asyncio.to_thread(config.state_directory.mkdir, 0o700, parents=True, exist_ok=True)
        self._lock = await asyncio.to_thread(StateLock.take, config.state_directory, self.name)

    async def close(self) -> None:
        """Leave the directory to others."""
        if self._lock is not None:
            self._lock.release()

    async def facts(self) -> RoleFacts:
        """Return what the worker says of itself."""
        return RoleFacts() if self._node is None else await feedback_facts(self._node)

    def operations(self, node: Node) -> Operations:
        """Return what the admin API offers beside what it offers for every role."""
        self._node = node
        return operations(node, self._config.state_dir)
