"""A router in memory: its handler, a network and clients, without sockets or processes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from headrace.config.loader import validate_document
from headrace.config.router import ROUTER
from headrace.config.router.model import RouterConfig
from headrace.http.parser import HeadLimits, RequestParser
from headrace.http.server.head_cache import HeadCache
from headrace.router.accounting import Accounting
from headrace.router.context import RouterContext
from headrace.router.debug_access import DebugAccess
from headrace.router.handler import RouterHandler
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import Topology
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import NO_VIEW, View
from tests.harness.memory_exchange import MemoryClient, MemoryExchange
from tests.harness.networks import two_sites

NORTH, SOUTH, NOWHERE = "192.0.2.7", "203.0.113.7", "198.18.0.7"
"""Clients of the networks of `two_sites`."""
NOW = 1_800_000_000.0


def router_config(**more: Any) -> RouterConfig:
    """Return a router's configuration."""
    document: dict[str, Any] = {
        "state_dir": "/nowhere",
        "network": {"file": "network.toml"},
        "listen": [{"address": "127.0.0.1:0"}],
        **more,
    }
    return validate_document(document, ROUTER, lambda _path: "router.toml:1", base=Path("/"))


class Still:
    """A loop of which only the time is asked: a router waits for nothing."""

    def time(self) -> float:
        """Return a time."""
        return 1.0


@dataclass
class MemoryRouter:
    """One worker's router."""

    context: RouterContext
    handler: RouterHandler
    accounting: Accounting
    heads: HeadCache = field(default_factory=lambda: HeadCache(RequestParser(HeadLimits())))

    def adopt(self, topology: Topology, view: View = NO_VIEW) -> None:
        """Take a network and a view."""
        self.context.adopt_network(NetworkSnapshot(topology, "test", CoverageTable(topology)), view)

    def ask(
        self,
        target: str,
        *fields: tuple[str, str],
        client: str = NORTH,
        host: str | None = "vod.example",
        method: str = "GET",
        covers: tuple[str, ...] | None = None,
        body: bytes = b"",
    ) -> MemoryExchange:
        """Send one request on a connection of its own; return it answered."""
        lines = [f"{method} {target} HTTP/1.1"]
        if host is not None:
            lines.append(f"Host: {host}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in fields]
        return self.send(
            "\r\n".join([*lines, "", ""]).encode("latin-1") + body, client=client, covers=covers
        )

    def send(
        self, data: bytes, *, client: str = NORTH, covers: tuple[str, ...] | None = None
    ) -> MemoryExchange:
        """Send a request as bytes."""
        connection = MemoryClient(
            self.handler, cast(asyncio.AbstractEventLoop, Still()), address=client, covers=covers,
            heads=self.heads,
        )  # fmt: skip
        exchange = connection.ask(data)
        assert exchange.outcome == "complete", "the router waits for nothing"
        return exchange

    def snapshot(self) -> Snapshot:
        """Return what was counted."""
        return self.accounting.snapshot()


def memory_router(
    topology: Topology | None = None, view: View = NO_VIEW, **more: Any
) -> MemoryRouter:
    """Return a router of a network (two sites) with keys of its configuration."""
    config = router_config(**more)
    metrics = WorkerMetrics()
    context = RouterContext(config, DebugAccess.of(config.debug), metrics, lambda: NOW)
    accounting = Accounting(metrics, context.tallies, AccessLog(None))
    router = MemoryRouter(context, RouterHandler(context, accounting), accounting)
    router.adopt(two_sites() if topology is None else topology, view)
    return router
