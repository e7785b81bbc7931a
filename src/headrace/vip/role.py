"""The supervisor's part of the process that announces: its directory, its operations, and the
watchdog of the worker, without which a worker that hangs would announce for ever what it does not
check.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence

from headrace.config.vip import VIP
from headrace.config.vip.model import VipConfig
from headrace.node.admin.operations import Operations
from headrace.node.role import AtCommit, Change, Role
from headrace.node.running import Node
from headrace.node.state_lock import StateLock
from headrace.telemetry.facts import RoleFacts
from headrace.telemetry.report import Report
from headrace.vip.admin.facts import VipReport, vip_facts
from headrace.vip.admin.operations import operations
from headrace.vip.watchdog import Watchdog

WORKER_COMMAND = (sys.executable, "-m", "headrace.vip.worker")


class VipRole(Role[VipConfig]):
    """What announces VIPs, in the supervisor."""

    name = "vip"
    root = VIP

    def __init__(self, worker_command: Sequence[str] = WORKER_COMMAND) -> None:
        self._worker_command = worker_command
        self._config: VipConfig
        self._node: Node | None = None
        self._lock: StateLock | None = None
        self._watchdog: Watchdog | None = None

    @property
    def worker_command(self) -> Sequence[str]:
        """The command of its worker process."""
        return self._worker_command

    @property
    def report(self) -> type[Report]:
        """The model of its report."""
        return VipReport

    def fixed(self, config: VipConfig) -> Mapping[str, object]:
        """Return what a reload cannot change: what sessions and addresses depend on."""
        return {
            "state_dir": config.state_directory,
            "speaker": config.speaker,
            "addresses": config.addresses,
            "handover": config.handover,
        }

    async def open(self, config: VipConfig) -> None:
        """Make the directory and keep it. Raises ConfigError or OSError."""
        self._config = config
        # Others may pass through: bfdd, which runs as a user of its own, has a directory in it.
        await asyncio.to_thread(config.state_directory.mkdir, 0o711, parents=True, exist_ok=True)
        self._lock = await asyncio.to_thread(StateLock.take, config.state_directory, self.name)

    def started(self) -> None:
        """Begin to watch the worker."""
        assert self._node is not None
        self._watchdog = Watchdog(self._config.checking.watchdog_s, self._node)
        self._watchdog.start()

    async def prepare(self, config: VipConfig) -> Change:
        """Watch the worker by another limit."""

        def adopt() -> None:
            if self._watchdog is not None:
                self._watchdog.limit_s = config.checking.watchdog_s

        return AtCommit(adopt)

    async def close(self) -> None:
        """Stop watching, and leave the directory to others."""
        if self._watchdog is not None:
            await self._watchdog.close()
        if self._lock is not None:
            self._lock.release()

    async def facts(self) -> RoleFacts:
        """Return what the worker says of itself."""
        bites = 0 if self._watchdog is None else self._watchdog.bites
        return RoleFacts() if self._node is None else await vip_facts(self._node, bites)

    def operations(self, node: Node) -> Operations:
        """Return what the admin API offers beside what it offers for every role."""
        self._node = node
        return operations(node)
