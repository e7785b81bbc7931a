"""The router's part of the supervisor: a directory for what the node keeps, and no more.

It answers no client; that is `worker`'s.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import structlog

from headrace.config.router import ROUTER
from headrace.config.router.model import RouterConfig
from headrace.node.admin.load import Identity, load_operations
from headrace.node.admin.operations import Operations
from headrace.node.admin.watching import watching_operations
from headrace.node.role import AtCommit, Role
from headrace.node.running import Node
from headrace.router.dns.servers import check_free

log = structlog.get_logger("headrace.router")

WORKER_COMMAND = (sys.executable, "-m", "headrace.router.worker")


class RouterRole(Role[RouterConfig]):
    """The router in the supervisor."""

    name = "router"
    root = ROUTER
    worker_command = WORKER_COMMAND

    def fixed(self, config: RouterConfig) -> Mapping[str, object]:
        """Return where the node keeps what is its own, and the file that its workers follow."""
        return {"state_dir": config.state_directory, "geo_file": config.geo_file}

    def __init__(self) -> None:
        self._dns_addresses: list[str] = []
        self._node_id = ""
        self._interface: str | None = None

    async def open(self, config: RouterConfig) -> None:
        """Make the directory; check DNS's addresses. Raises HeadraceError or OSError."""
        self._node_id = config.node_id
        self._interface = None if config.admin is None else config.admin.interface
        if config.dns is not None:
            check_free(config.dns)
            self._dns_addresses = [str(address) for address in config.dns.listen]
        await asyncio.to_thread(config.state_directory.mkdir, 0o700, parents=True, exist_ok=True)

    async def prepare(self, config: RouterConfig) -> AtCommit:
        """Note the new name."""

        def adopt() -> None:
            self._node_id = config.node_id

        return AtCommit(adopt)

    def started(self) -> None:
        """Say where DNS is answered; the node says where HTTP is."""
        if self._dns_addresses:
            log.info("dns_listening", listening=self._dns_addresses)

    def operations(self, node: Node) -> Operations:
        """Return what those ask who watch, and who steer the network."""
        return (
            *watching_operations(node, caches=False),
            *load_operations(
                node, lambda: Identity(self._node_id, "router", interface=self._interface)
            ),
        )
