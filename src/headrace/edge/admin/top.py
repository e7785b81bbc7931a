"""GET /top, /connections, /reasons and /purges: what an edge under load is busy with.

Looking costs the same whoever looks how often: figures are taken anew once in FRESH_S at most, and
all who ask meanwhile get the same ones.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import web

from headrace.cache.key import key_hash
from headrace.edge.admin.purging import Directory
from headrace.edge.admin.requests import parse_inspection
from headrace.edge.admin.store_thread import StoreThread
from headrace.edge.messages import GetFigures, GetReasons, ReasonsAre, Seen
from headrace.node.admin.problem import ProblemError
from headrace.node.running import Workers
from headrace.telemetry.metrics import Snapshot
from headrace.telemetry.reasons import together
from headrace.telemetry.top import between
from headrace.telemetry.watch import FIGURES_LEASE_S, merged

FRESH_S = 1.0
MOST_ROWS = 50
USUAL_ROWS = 10
MOST_PURGES = 1000


class Server(Protocol):
    """What looking needs of the running server."""

    @property
    def workers(self) -> Workers: ...

    @property
    def store(self) -> StoreThread: ...

    @property
    def directory(self) -> Directory: ...

    async def totals(self) -> Snapshot: ...


class Looking:
    """One method for each resource."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._taking = asyncio.Lock()
        self._totals: Snapshot | None = None
        self._taken_s = 0.0
        self._told: dict[str, Any] = {}
        self._connections: Counter[str] = Counter()
        self._unlisted = 0

    async def top(self, request: web.Request) -> web.Response:
        """Rates and the largest of each kind, since somebody looked last."""
        rows = parse_rows(request.query)
        await self._refresh()
        told = {
            name: value[:rows] if isinstance(value, list) else value
            for name, value in self._told.items()
        }
        return web.json_response(told)

    async def connections(self, request: web.Request) -> web.Response:
        """Who holds most connections."""
        rows = parse_rows(request.query)
        await self._refresh()
        largest = self._connections.most_common(rows)
        others = self._connections.total() - sum(count for _client, count in largest)
        return web.json_response(
            {
                "clients": [{"client": client, "connections": n} for client, n in largest],
                "others": others + self._unlisted,
            }
        )

    async def reasons(self, request: web.Request) -> web.Response:
        """Why responses for a URL were not stored lately."""
        url = parse_inspection(request.query)
        keys = self._server.directory.keys(url, service=None, field="url")
        hashes = [key_hash(key) for _service, key in keys]
        answers = await self._server.workers.ask_each(GetReasons(hashes), ReasonsAre)
        found = []
        for at, (service, _key) in enumerate(keys):
            for reason in together([answer.reasons[at] for answer in answers]):
                found.append({"service": service, **msgspec.structs.asdict(reason)})
        return web.json_response({"url": url, "reasons": found})

    async def purges(self, request: web.Request) -> web.Response:
        """The purges that the sweep has not finished yet, the newest first."""
        rows = parse_rows(request.query, usual=100, most=MOST_PURGES)
        found = await self._server.store.purges(rows)
        return web.json_response({"purges": found})

    async def _refresh(self) -> None:
        async with self._taking:
            now_s = time.monotonic()
            if self._told and now_s - self._taken_s < FRESH_S:
                return
            totals, answers = await asyncio.gather(
                self._server.totals(), self._server.workers.ask_each(GetFigures(), Seen)
            )
            figures = merged([answer.figures for answer in answers], MOST_ROWS, MOST_ROWS)
            self._connections = Counter()
            for answer in answers:
                self._connections.update(answer.connections)
            self._unlisted = sum(answer.unlisted for answer in answers)
            if now_s - self._taken_s > FIGURES_LEASE_S:
                self._totals = None  # too long ago to be anybody's last look
            seconds = now_s - self._taken_s if self._totals is not None else 0.0
            self._told = {
                **between(self._totals or totals, totals, seconds),
                "services": service_rows(figures.services, figures.seconds),
                "objects": [msgspec.structs.asdict(hot) for hot in figures.objects],
                "objects_sampled": figures.sampled,
                "clients": [
                    {"client": client, "connections": count}
                    for client, count in self._connections.most_common(MOST_ROWS)
                ],
            }
            self._totals, self._taken_s = totals, now_s


def service_rows(services: Mapping[str, Any], seconds: float) -> Sequence[dict[str, Any]]:
    """The services' figures as rates, the busiest first."""
    span = max(seconds, 0.001)
    rows = [
        {
            "service": name,
            "requests_per_s": round(one.requests / span, 2),
            "hit_ratio": round(one.hits / one.requests, 4) if one.requests else None,
            "errors_per_s": round(one.errors / span, 2),
            "bytes_per_s": round(one.bytes / span),
        }
        for name, one in services.items()
    ]
    return sorted(rows, key=lambda row: -row["requests_per_s"])


def parse_rows(query: Mapping[str, str], *, usual: int = USUAL_ROWS, most: int = MOST_ROWS) -> int:
    """Read a query whose one parameter is limit. Raises ProblemError."""
    unknown = sorted(set(query) - {"limit"})
    if unknown:
        raise ProblemError(422, f"unknown parameter {unknown[0]!r}: use limit", field=unknown[0])
    text = query.get("limit", str(usual))
    good = text.isascii() and text.isdigit() and len(text) < 6
    if not good or not 1 <= int(text) <= most:
        raise ProblemError(422, f"limit must be a number from 1 to {most}", field="limit")
    return int(text)
