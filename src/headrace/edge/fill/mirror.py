"""Asks another pool for what was just fetched, only to compare: for migrations.

Nothing of it reaches a client or the store. Status, length and hash of the body are compared.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
import xxhash

from headrace.edge.service.resource import Resource
from headrace.edge.upstreams import Upstreams
from headrace.http.message import Field
from headrace.telemetry.metrics import WorkerMetrics
from headrace.upstream.errors import OriginError
from headrace.upstream.target import Target

log = structlog.get_logger()

AT_ONCE = 8
LIMIT_S = 60.0
READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """What an origin answered."""

    status: int
    size_bytes: int
    digest: int


def difference(main: Seen, mirror: Seen) -> str:
    """Return in one word what is not the same: status, length or body; else "same"."""
    if main.status != mirror.status:
        return "status"
    if main.size_bytes != mirror.size_bytes:
        return "length"
    return "same" if main.digest == mirror.digest else "body"


class Mirrors:
    """The comparisons of one worker. When too many run already, the next is left out."""

    def __init__(self) -> None:
        self._running = 0

    async def compare(
        self,
        upstreams: Upstreams,
        metrics: WorkerMetrics,
        resource: Resource,
        mirror: Target,
        fields: list[Field],
        main: Seen,
    ) -> None:
        """Fetch from the mirror, and count the result in metrics."""
        counts = metrics.mirror_compared
        if self._running >= AT_ONCE:
            counts["left_out"] += 1
            return
        self._running += 1
        try:
            async with asyncio.timeout(LIMIT_S):
                found = await self._fetch(upstreams, mirror, fields)
        except (OriginError, TimeoutError) as error:
            counts["failed"] += 1
            log.warning("mirror_failed", service=resource.service.name, problem=str(error))
            return
        finally:
            self._running -= 1
        result = difference(main, found)
        counts[result] += 1
        if result != "same":
            log.warning(
                "mirror_differs",
                service=resource.service.name,
                pool=mirror.state.pool.name,
                what=result,
                path=resource.path.decode("latin-1"),
                statuses=(main.status, found.status),
                sizes=(main.size_bytes, found.size_bytes),
            )

    @staticmethod
    async def _fetch(upstreams: Upstreams, mirror: Target, fields: list[Field]) -> Seen:
        response = await upstreams.fetcher.request(mirror, b"GET", fields)
        try:
            buffer = memoryview(bytearray(READ_BYTES))
            digest = xxhash.xxh3_64()
            size_bytes = 0
            while received := await response.read_into(buffer):
                digest.update(buffer[:received])
                size_bytes += received
        finally:
            response.close()
        return Seen(response.status, size_bytes, digest.intdigest())
