"""GET /top and /connections: what a node under load is busy with.

The cost is the same whoever asks how often: figures are taken again once in FRESH_S at most, and
all who ask meanwhile get the same ones.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.node.live.messages import GetFigures, Seen
from headrace.node.running import Node
from headrace.telemetry.metrics import Snapshot
from headrace.telemetry.top import Rates, between
from headrace.telemetry.watch import FIGURES_LEASE_S, HotObject, ServiceFigures, merged

FRESH_S = 1.0
MOST_ROWS = 50
USUAL_ROWS = 10


class RowsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of each list."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS, description="Rows of each list.")] = USUAL_ROWS


class ServiceRates(msgspec.Struct):
    """The requests of one service, of a router's class; errors are responses of 500 and above."""

    service: str
    requests_per_s: float
    hit_ratio: float | None
    errors_per_s: float
    bytes_per_s: int


class Client(msgspec.Struct):
    """Who holds connections, as far as the configuration lets it show, and how many."""

    client: str
    connections: int


class Top(Rates, kw_only=True):
    """What all workers together were busy with since the figures before.

    The count of an object is of `objects_sampled` requests. A router's services are its classes;
    it `caches` nothing. `silent` are workers that do not answer: what they do is missing.
    """

    services: list[ServiceRates]
    objects: list[HotObject]
    objects_sampled: int
    clients: list[Client]
    caches: bool = True
    silent: list[str] = msgspec.field(default_factory=list)


class Connections(msgspec.Struct):
    """Who holds most connections, and how many all others have."""

    clients: list[Client]
    others: int


class Activity:
    """One method for each operation."""

    def __init__(self, node: Node, *, caches: bool = True) -> None:
        self._caches = caches
        self._node = node
        self._taking = asyncio.Lock()
        self._totals: Snapshot | None = None
        self._taken_s = 0.0
        self._top: Top | None = None
        self._connections: Counter[str] = Counter()
        self._unlisted = 0

    async def top(self, asked: RowsRequest) -> Top:
        """Return rates and the largest of each kind, since the figures before."""
        top, most = await self._refreshed(), asked.limit
        return msgspec.structs.replace(
            top,
            origins=top.origins[:most],
            services=top.services[:most],
            objects=top.objects[:most],
            clients=top.clients[:most],
        )

    async def connections(self, asked: RowsRequest) -> Connections:
        """Return who holds most connections."""
        await self._refreshed()
        largest = self._connections.most_common(asked.limit)
        others = self._connections.total() - sum(count for _client, count in largest)
        return Connections([Client(*one) for one in largest], others + self._unlisted)

    async def _refreshed(self) -> Top:
        async with self._taking:
            now_s = asyncio.get_running_loop().time()
            if self._top is not None and now_s - self._taken_s < FRESH_S:
                return self._top
            totals, (answers, silent) = await asyncio.gather(
                self._node.totals(), self._node.workers.ask_and_miss(GetFigures(), Seen)
            )
            figures = merged([answer.figures for answer in answers], MOST_ROWS, MOST_ROWS)
            self._connections = Counter()
            for answer in answers:
                self._connections.update(answer.connections)
            self._unlisted = sum(answer.unlisted for answer in answers)
            if now_s - self._taken_s > FIGURES_LEASE_S:
                self._totals = None  # too long ago to be the figures before of anyone
            seconds = now_s - self._taken_s if self._totals is not None else 0.0
            rates = between(self._totals or totals, totals, seconds)
            self._top = Top(
                **msgspec.structs.asdict(rates),
                services=service_rates(figures.services, figures.seconds, caches=self._caches),
                caches=self._caches,
                objects=figures.objects,
                objects_sampled=figures.sampled,
                clients=[Client(*one) for one in self._connections.most_common(MOST_ROWS)],
                silent=silent,
            )
            self._totals, self._taken_s = totals, now_s
            return self._top


def service_rates(
    services: Mapping[str, ServiceFigures], seconds: float, *, caches: bool = True
) -> list[ServiceRates]:
    """Return the services' figures as rates, the busiest first."""
    span = max(seconds, 0.001)
    rows = [
        ServiceRates(
            service=name,
            requests_per_s=round(one.requests / span, 2),
            hit_ratio=round(one.hits / one.requests, 4) if caches and one.requests else None,
            errors_per_s=round(one.errors / span, 2),
            bytes_per_s=round(one.bytes / span),
        )
        for name, one in services.items()
    ]
    return sorted(rows, key=lambda row: -row.requests_per_s)
