"""Checks every origin of pools that have a health check, from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from headrace.http.message import Field
from headrace.upstream.client import OriginClient
from headrace.upstream.errors import OriginError
from headrace.upstream.health import HealthRule
from headrace.upstream.pool import Origin, OriginState, PoolState
from headrace.upstream.request_fields import fields_for

BODY_BYTES = 64 * 1024
JITTER = 0.1


class HealthEvents(Protocol):
    """What is reported of health checks."""

    def health_changed(self, service: str, pool: str, origin: str, *, up: bool) -> None:
        """Note that health checks changed what is known of an origin."""


class HealthChecks:
    """One task for each origin that is checked. `watch` replaces them all."""

    def __init__(
        self,
        client: OriginClient,
        loop: asyncio.AbstractEventLoop,
        events: HealthEvents,
        *,
        unix_time: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """`chance` returns a number from 0 up to 1."""
        self._client = client
        self._loop = loop
        self._events = events
        self._unix_time = unix_time
        self._chance = chance
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, pools: Mapping[tuple[str, str], PoolState]) -> None:
        """Check the origins of these pools, by service and name, from now on, and no others."""
        self.stop()
        for (service, name), pool in pools.items():
            rule = pool.pool.health
            if rule is None:
                continue
            for origin, state in zip(pool.pool.origins, pool.states, strict=True):
                task = self._loop.create_task(self._check(service, name, rule, origin, state))
                self._tasks.append(task)

    def stop(self) -> None:
        """Stop checking."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    async def _check(
        self, service: str, pool: str, rule: HealthRule, origin: Origin, state: OriginState
    ) -> None:
        while True:
            good = await is_well(self._client, rule, origin, self._unix_time())
            if state.health.checked(rule, self._loop.time(), good=good):
                self._events.health_changed(service, pool, origin.name, up=good)
            # Not all workers, and not all origins, at the same moment.
            await asyncio.sleep(rule.interval_s * (1 + JITTER * (2 * self._chance() - 1)))


async def is_well(client: OriginClient, rule: HealthRule, origin: Origin, now: float) -> bool:
    """Check an origin once; return whether it is well. `now` is Unix time, for a signature."""
    fields: list[Field] = [(b"host", b""), (b"user-agent", b"headrace-health")]
    try:
        prepared = fields_for(origin, b"GET", rule.path, fields, now)
        async with asyncio.timeout(rule.timeout_s):
            response = await client.request(origin.endpoint, b"GET", rule.path, prepared)
            try:
                if response.status not in rule.statuses:
                    return False
                if rule.body is None:
                    return True
                found = b""
                buffer = memoryview(bytearray(BODY_BYTES))
                while len(found) < BODY_BYTES:
                    received = await response.read_into(buffer)
                    if not received:
                        break
                    found += buffer[:received]
                return rule.body in found
            finally:
                response.close()
    except (OriginError, TimeoutError):
        return False
