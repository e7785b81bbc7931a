"""The edge's part of the supervisor: the cache directory, its maintenance, purges, what it offers.

It serves no client; that is `worker`'s.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence

from headrace.config import Config
from headrace.config.edge import EDGE
from headrace.config.edge.limits_check import raise_nofile_limit
from headrace.edge.admin.operations import edge_operations
from headrace.edge.admin.own_store import open_store
from headrace.edge.admin.purging import Directory
from headrace.edge.admin.report import EdgeReport, edge_facts
from headrace.edge.admin.store_admin import StoreAdmin
from headrace.edge.admin.store_maintenance import StoreMaintenance
from headrace.edge.admin.store_thread import StoreThread
from headrace.edge.admin.store_watch import StoreWatch
from headrace.node.admin.load import Identity
from headrace.node.admin.operations import Operations
from headrace.node.role import AtCommit
from headrace.node.running import Node
from headrace.telemetry.facts import RoleFacts

WORKER_COMMAND = (sys.executable, "-m", "headrace.edge.worker")


class EdgeRole:
    """The edge in the supervisor: a Role."""

    name = "edge"
    root = EDGE
    report = EdgeReport

    def __init__(
        self,
        *,
        worker_command: Sequence[str] = WORKER_COMMAND,
        store_opener: Callable[[Config], StoreAdmin] = open_store,
    ) -> None:
        self.worker_command = worker_command
        self._store_opener = store_opener
        self._store: StoreThread | None = None
        self._directory: Directory | None = None
        self._maintenance: StoreMaintenance | None = None
        self._watch: StoreWatch | None = None
        self._config: Config | None = None

    def fixed(self, config: Config) -> Mapping[str, object]:
        """Return what the open store rests on."""
        return {
            "cache_dir": config.cache_dir,
            "store.size": config.store.size_bytes,
            "store.slice": config.store.slice_bytes,
            "store.inline": config.store.inline_bytes,
        }

    async def open(self, config: Config) -> None:
        """Open the store, which makes it this edge's. Raises HeadraceError or OSError."""
        raise_nofile_limit(config)
        self._config = config
        self._directory = await asyncio.to_thread(Directory.of, config)
        self._store = await StoreThread.open(self._store_opener, config)

    def started(self) -> None:
        """Begin to sweep the store, and to watch whether its disk takes what is written."""
        self._maintenance = StoreMaintenance(self.store)
        assert self._config is not None
        self._watch = StoreWatch(self.store, self._config.cache_dir)

    async def prepare(self, config: Config) -> AtCommit:
        """Find the keys of the new services. Raises HeadraceError."""
        directory = await asyncio.to_thread(Directory.of, config)

        def adopt() -> None:
            self._directory = directory
            self._config = config

        return AtCommit(adopt)

    def problem(self) -> str:
        """Return nothing: what could keep an edge from serving is found by its workers."""
        return ""

    def impairment(self) -> str:
        """Return why the store takes nothing; "" if it does."""
        return "" if self._watch is None else self._watch.problem

    async def facts(self) -> RoleFacts:
        """Return the store's numbers and the generation of purges."""
        return edge_facts(await self.store.stats(), await self.store.generation())

    def operations(self, node: Node) -> Operations:
        """Return what concerns stored objects, and what an edge under load is busy with."""
        return edge_operations(self, node)

    async def close(self) -> None:
        """Stop the sweep and close the store."""
        if self._watch is not None:
            await self._watch.close()
        if self._maintenance is not None:
            await self._maintenance.close()
        if self._store is not None:
            await self._store.close()

    # What its own operations ask.

    @property
    def store(self) -> StoreThread:
        """The open store; only after `open`."""
        assert self._store is not None
        return self._store

    @property
    def directory(self) -> Directory:
        """The services' keys by the configuration in force; only after `open`."""
        assert self._directory is not None
        return self._directory

    def identity(self) -> Identity:
        """Return who this edge is in the network; only after `open`."""
        config = self._config
        assert config is not None
        me = None if config.network is None else config.network.me
        interface = None if config.admin is None else config.admin.interface
        return Identity(me or config.node_id, "edge", config.cache_dir, interface)

    def purged(self) -> None:
        """Note that a purge is in force: what it freed can be swept now."""
        if self._maintenance is not None:
            self._maintenance.wake()
