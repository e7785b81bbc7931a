"""The origins of all services as one worker sees them: their state, and which of them a request
uses.

The state of a pool outlives reloads as long as its origins keep their names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog

from headrace.edge.service.resource import Resource
from headrace.edge.service.services import Service, Services
from headrace.http.message import Request
from headrace.telemetry import logs
from headrace.telemetry.metrics import WorkerMetrics
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.client import OriginClient
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.fetcher import Fetcher
from headrace.upstream.health_checks import HealthChecks
from headrace.upstream.origin_routes import apply_routes
from headrace.upstream.pool import PoolState
from headrace.upstream.request_fields import why_not_signed
from headrace.upstream.signable import Refusal
from headrace.upstream.target import Target

log = structlog.get_logger()


class OriginEvents:
    """Counts what happens with origins, and writes what an operator wants to read later."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics

    def tried(self, attempt_log: AttemptLog) -> None:
        """Count a request to an origin."""
        self._metrics.origin_requests[attempt_log.label] += 1
        if attempt_log.server:
            self._metrics.peers_asked[attempt_log.origin] += 1
        if logs.debugging():
            log.debug(
                "origin_tried", **_pool_of(attempt_log), origin=attempt_log.origin,
                path=attempt_log.path,
            )  # fmt: skip

    def waited(self, attempt_log: AttemptLog, seconds: float) -> None:
        """Add to the time that an origin's response heads took."""
        self._metrics.origin_wait[attempt_log.label] += round(seconds * 1e6)
        if not attempt_log.server:
            self._metrics.origin_first_byte.observe(seconds)

    def failed(self, attempt_log: AttemptLog, origin: str, reason: str, problem: str) -> None:
        """Count and log a try that brought nothing of use."""
        self._metrics.origin_failures[attempt_log.label_of(origin)] += 1
        if attempt_log.server:
            self._metrics.peers_failed[origin] += 1
        elif attempt_log.service:
            self._metrics.services.of(attempt_log.service).origin_failures += 1
        log.warning(
            "origin_failed", **_pool_of(attempt_log), origin=origin, failure=reason,
            problem=problem, path=attempt_log.path,
        )  # fmt: skip

    def retried(self, reason: str) -> None:
        """Count one more try."""
        self._metrics.origin_retries[reason] += 1

    def switched(self, attempt_log: AttemptLog, reason: str, at: int) -> None:
        """Count and log a body that another origin continues."""
        self._metrics.origin_switches[reason] += 1
        log.warning(
            "origin_switched", **_pool_of(attempt_log), to=attempt_log.origin, failure=reason,
            at_byte=at, path=attempt_log.path,
        )  # fmt: skip

    def switch_failed(self, attempt_log: AttemptLog, reason: str, at: int) -> None:
        """Count and log a body that no origin could continue."""
        self._metrics.origin_switches_failed[reason] += 1
        log.error(
            "origin_switch_failed", **_pool_of(attempt_log), failure=reason, at_byte=at,
            tried=attempt_log.summary(), path=attempt_log.path,
        )  # fmt: skip

    def hedged(self, attempt_log: AttemptLog, server: str) -> None:
        """Count a request for which the next was asked too, since a server was slow."""
        self._metrics.peer_hedges[server] += 1
        log.debug("peer_slow", server=server, path=attempt_log.path)

    def ejected(self, attempt_log: AttemptLog, origin: str) -> None:
        """Count and log an origin that is left alone for a while."""
        self._metrics.origin_ejections[attempt_log.label_of(origin)] += 1
        log.warning("origin_ejected", **_pool_of(attempt_log), origin=origin)

    def health_changed(self, service: str, pool: str, origin: str, *, up: bool) -> None:
        """Count and log an origin that went up or down by its health checks."""
        self._metrics.origin_health_changes["up" if up else "down"] += 1
        if up:
            log.warning("origin_up", service=service, pool=pool, origin=origin)
        else:
            log.error("origin_down", service=service, pool=pool, origin=origin)


def note_received(metrics: WorkerMetrics, response: FailoverResponse) -> None:
    """Count the bytes of a body, by whether origins or servers of the network sent them."""
    by_servers = response.server_bytes
    metrics.bytes_from_servers += by_servers
    metrics.bytes_from_origin += response.received_bytes - by_servers


def _pool_of(attempt_log: AttemptLog) -> dict[str, str]:
    return {"service": attempt_log.service, "pool": attempt_log.pool}


class Upstreams:
    """All pools of one worker. `adopt` takes a new configuration."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: OriginClient,
        metrics: WorkerMetrics,
        *,
        unix_time: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self.client = client
        self.events = OriginEvents(metrics)
        self.fetcher = Fetcher(client, loop, self.events, unix_time=unix_time, chance=chance)
        self._checks = HealthChecks(client, loop, self.events, unix_time=unix_time, chance=chance)
        self._states: dict[tuple[str, str], PoolState] = {}

    def adopt(self, services: Services, servers: Collection[Endpoint] = ()) -> None:
        """Use these services' pools from now on; what is known of their origins stays, and
        connections to `servers` of the network.
        """
        before = self._states
        self._states = {
            (service.name, name): PoolState(pool, before.get((service.name, name)))
            for service in services.all
            for name, pool in service.pools.items()
        }
        self.client.idle.retain(
            {origin.endpoint for state in self._states.values() for origin in state.pool.origins}
            | set(servers)
        )
        self._checks.watch(self._states)

    def target(
        self, resource: Resource, request: Request, request_target: bytes, client_network: str = ""
    ) -> Target:
        """Return where a request goes whose own target, as origins are to see it, is given."""
        service = resource.service
        default = Target(
            self._state(service, service.default_pool),
            service.retries[service.default_retry],
            resource.key,
            request_target,
            client_network,
            service.name,
        )
        if not service.origin_routes:
            return default
        return apply_routes(
            service.origin_routes,
            request,
            default,
            lambda pool: self._state(service, pool),
            service.retries,
        )

    def refusal(
        self, resource: Resource, request: Request, request_target: bytes, *, has_body: bool
    ) -> Refusal | None:
        """Return why the pool that this request goes to would not be asked, or None.

        Requests to an origin of it are signed, and this one may not be. So it is refused before
        anything is looked up or sent.
        """
        target = self.target(resource, request, request_target)
        fields = [(b"host", request.authority)]
        if has_body:
            fields.append((b"transfer-encoding", b"chunked"))
        for origin in target.state.pool.origins:
            refusal = why_not_signed(origin, request.method, target.request_target, fields)
            if refusal is not None:
                return refusal
        return None

    @property
    def open_places(self) -> int:
        """Return how many requests run now, with all origins of the pools in force."""
        return sum(state.open_places for state in self._states.values())

    def _state(self, service: Service, pool: str) -> PoolState:
        state = self._states.get((service.name, pool))
        # Without one, the request began under a configuration that is gone.
        return PoolState(service.pools[pool]) if state is None else state

    def stop(self) -> None:
        """End the health checks."""
        self._checks.stop()
