"""The few things of a worker that a fill uses, and that those use who begin or follow one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from headrace.cache.rules import CacheRules
from headrace.config import Config
from headrace.config.network_member import DEFAULT_HOPS
from headrace.edge.body.stored_slices import StoredSlices
from headrace.edge.clock import Clock
from headrace.edge.fill.client_budgets import ByteBudget, Counts
from headrace.edge.fill.mirror import Mirrors, Seen
from headrace.edge.fill.together import Together
from headrace.edge.hot import HotResponses
from headrace.edge.service.resource import Resource
from headrace.edge.tasks import Tasks
from headrace.edge.tiering.tiering import Plan, Sign, Tiering
from headrace.edge.upstreams import Upstreams
from headrace.http.message import Field
from headrace.reasons import Reason
from headrace.store import Store, StoreError
from headrace.store.refusals import Cause, cause_of, refused
from headrace.telemetry.metrics import WorkerMetrics
from headrace.upstream.peering import Peer
from headrace.upstream.target import Target

log = structlog.get_logger()


RECEIVE_BYTES = 512 * 1024
REFUSED_PAUSE_S = 5.0


class FillEnvironment:
    """Store, upstreams, what each client network may take of them, and what is open and hot.

    `draining` means that nothing is begun any more that no client waits for. `signer` makes what
    signs requests to other servers, by the server that asks for it and what it asks for; None: no
    server is asked.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        store: Store,
        metrics: WorkerMetrics,
        upstreams: Upstreams,
        clock: Clock,
    ) -> None:
        self.loop = loop
        self.store = store
        self.metrics = metrics
        self.upstreams = upstreams
        self.now = clock.now
        self.monotonic = clock.monotonic
        self.random_bytes = clock.random_bytes
        self.draining = False
        self.signer: Callable[[Peer | None, Resource], Sign] | None = None
        self.tasks = Tasks()
        self.together = Together(loop, store, self.store_trouble)
        self.tiering: Tiering | None = None  # only a member of a network has it
        self.mirrors = Mirrors()
        limits = config.limits
        # What each client network has under way at the origins, and what it has left behind there.
        self.places = Counts(limits.origin_requests_per_address)
        self.unwatched = Counts(limits.unwatched_fills_per_address, limits.unwatched_fills)
        self.unwatched_bytes = ByteBudget(
            limits.unwatched_bytes_per_address, limits.unwatched_rate_bytes_per_s
        )
        self.hot = HotResponses(config.store.open_files, config.store.memory_bytes)
        self.slices = StoredSlices(
            loop, store, metrics, config.store.open_files,
            forget_hot=self.hot.drop, release_hot=self.hot.release,
            on_trouble=self.store_trouble,
        )  # fmt: skip
        self.bodies = self.slices.bodies
        # One for all fills, for none keeps bytes in it across an await: it stays in the
        # processor's cache, which made receiving and storing measurably cheaper than one for each.
        self.receiving = memoryview(bytearray(RECEIVE_BYTES))
        self._refused_until = 0.0
        self._said_of: Cause | None = None  # what was said last of the disk, or the index
        self._said_until = 0.0
        self.follow_config(config)

    def follow_config(self, config: Config) -> None:
        """Begin and limit fills by this configuration from now on."""
        self.node_id = config.node_id
        member = config.network
        self.cdn_name = (member.cdn_name if member is not None else None) or config.node_id
        self.most_hops = DEFAULT_HOPS if member is None else member.hops
        if member is None:
            self.tiering = None
        else:
            self.tiering = self.tiering or Tiering()
            self.tiering.follow_config(member)
        self.slice_bytes = config.store.slice_bytes
        self.lock_wait_s = config.timeouts.lock_wait_s
        limits = config.limits
        self.places.most_each = limits.origin_requests_per_address
        self.unwatched.most_each = limits.unwatched_fills_per_address
        self.unwatched.most = limits.unwatched_fills
        self.unwatched_bytes.burst_bytes = limits.unwatched_bytes_per_address
        self.unwatched_bytes.rate_bytes_per_s = limits.unwatched_rate_bytes_per_s
        networks = 1 if member is None else member.peer_places
        self.places.networks_each = self.unwatched.networks_each = networks
        self.unwatched_bytes.networks_each = networks

    def plan(self, resource: Resource, peer: Peer | None) -> Plan | None:
        """Return which servers of the network to ask for a resource, and what this one is to it;
        None where the network has no part in it. `peer` is the server that asks (None: a client).
        """
        tiering = self.tiering
        if tiering is None or self.signer is None:
            return None
        return tiering.plan(resource, peer, self.loop.time())

    def with_sources(
        self,
        target: Target,
        plan: Plan | None,
        resource: Resource,
        peer: Peer | None,
        authority: bytes,
        request_target: bytes,
    ) -> Target:
        """Return a target with the servers of a plan before its pool."""
        if plan is None or self.tiering is None or self.signer is None:
            return target
        try:
            sign = self.signer(peer, resource)
        except StoreError as error:  # what is purged is not known, so no server can be told
            self.store_trouble(error)
            return target
        return self.tiering.with_sources(target, plan, sign, authority, request_target)

    def slice_bytes_for(self, rules: CacheRules) -> int:
        """Return the size of the slices that a new representation is cut into."""
        return rules.slice_bytes or self.slice_bytes

    def reason_not_to_store(self, total: int | None, rules: CacheRules) -> Reason:
        """Return why a storable response is not to be stored all the same, or `Reason.NONE`."""
        if rules.max_object_bytes is not None and (total or 0) > rules.max_object_bytes:
            return Reason.TOO_LARGE
        if self.monotonic() < self._refused_until:
            return Reason.STORE_FULL
        if self.store.is_overheld():
            return Reason.STORE_OVERHELD
        return Reason.NONE

    def store_trouble(self, error: Exception) -> None:
        """Count a failed write. Where the disk takes nothing, nothing is stored for a few seconds,
        and all processes are told (`StoreWatch`). A cause is said once until it is over.
        """
        cause, now = cause_of(error), self.monotonic()
        full = cause in (Cause.FULL, Cause.INDEX_FULL)
        if full:
            self.metrics.store_disk_full += 1
        else:
            self.metrics.store_write_errors += 1
        said = cause is not None and cause is self._said_of and now < self._said_until
        if cause is not None:
            self._said_of, self._said_until = cause, now + REFUSED_PAUSE_S
            if cause.is_of_disk:
                self._refused_until = now + REFUSED_PAUSE_S
            state = self.store.state
            state.set_refusal(refused(state.refusal(), cause, now))
        if not said:
            log.error(
                "store_write_failed",
                problem=str(error),
                disk_full=full,
                cache_dir=str(self.store.path),
            )

    def compare(self, resource: Resource, mirror: Target, fields: list[Field], seen: Seen) -> None:
        """Ask the mirror what was just fetched, on the side."""
        comparing = self.mirrors.compare(
            self.upstreams, self.metrics, resource, mirror, fields, seen
        )
        self.tasks.track(self.loop.create_task(comparing))
