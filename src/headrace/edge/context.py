"""What all requests of one worker share: store, origins, running fills, what is open and hot."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from headrace.cache.key import key_hash
from headrace.cache.record import StoredResponse
from headrace.cache.rules import CacheRules
from headrace.config import Config
from headrace.config.limits_check import open_files_within
from headrace.edge.body.growing_slice import LocalSlice, RemoteSlice
from headrace.edge.body.mapped_file import BodyError
from headrace.edge.body.open_files import OpenBodies, OpenBody, Place
from headrace.edge.fill.client_budgets import ByteBudget, Counts
from headrace.edge.fill.mirror import Mirrors
from headrace.edge.hot import HotResponses
from headrace.edge.request.invalidate import Allowance
from headrace.edge.service.resource import Resources
from headrace.edge.service.services import Services
from headrace.edge.upstreams import Upstreams
from headrace.reasons import Reason
from headrace.store import (
    Busy,
    FileMark,
    OpenSlice,
    PartFollower,
    Store,
    StoreError,
    StoreFull,
    body_is_sound,
    mark_of,
)
from headrace.telemetry.metrics import WorkerMetrics
from headrace.upstream.client import OriginClient, OriginTimeouts
from headrace.upstream.network import Network

if TYPE_CHECKING:
    from headrace.edge.fill.fill import Fill

log = structlog.get_logger()

RECEIVE_BYTES = 512 * 1024
FULL_DISK_PAUSE_S = 5.0
REMEMBERED_AS_VERIFIED = 65_536


class WorkerContext:
    """One worker's shared state. Created once; `adopt` takes a new configuration."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        services: Services,
        store: Store,
        metrics: WorkerMetrics,
        network: Network,
    ) -> None:
        self.loop = loop
        self.store = store
        self.metrics = metrics
        self.draining = False
        self.fills: dict[tuple[bytes, int], Fill] = {}
        self.streams: dict[bytes, Fill] = {}
        self.growing: dict[tuple[bytes, int], tuple[LocalSlice, Fill]] = {}
        self.remotes: dict[tuple[bytes, int], RemoteSlice] = {}
        self.origin = OriginClient(loop, network, OriginTimeouts())
        self.upstreams = Upstreams(loop, self.origin, metrics)
        self.mirrors = Mirrors()
        self.invalidations = Allowance()
        limits = config.limits
        # What each client network has under way at the origins, and what it has left behind there.
        self.places = Counts(limits.origin_requests_per_address)
        self.unwatched = Counts(limits.unwatched_fills_per_address, limits.unwatched_fills)
        self.unwatched_bytes = ByteBudget(
            limits.unwatched_bytes_per_address, limits.unwatched_rate_bytes_per_s
        )
        self.bodies = OpenBodies(store, config.store.open_files, self._damaged)
        self.hot = HotResponses(config.store.open_files, config.store.memory_bytes)
        self.purged_up_to = store.generation()
        # One for all fills, for none keeps bytes in it across an await: it stays in the
        # processor's cache, which made receiving and storing measurably cheaper than one for each.
        self.receiving = memoryview(bytearray(RECEIVE_BYTES))
        self.disk_threads = ThreadPoolExecutor(4, thread_name_prefix="disk")
        self._verified: dict[tuple[bytes, int], FileMark] = {}
        self._full_until = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.adopt(config, services)

    def adopt(self, config: Config, services: Services) -> None:
        """Serve by this configuration from now on; requests that run go on by the old one."""
        self.config = config
        self.services = services
        self.resources = Resources(services)
        self.upstreams.adopt(services)
        self.metrics.services.adopt({service.name: service.tally for service in services.all})
        self.server_name = config.node_id
        self.server_name_bytes = config.node_id.encode()
        self.slice_bytes = config.store.slice_bytes
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        open_files = open_files_within(config.store.open_files, limit)
        self.bodies.limit = self.hot.files = open_files
        self.hot.memory_bytes = config.store.memory_bytes
        self.verifies = config.store.checksum == "on_open"
        timeouts = config.timeouts
        self.lock_wait_s = timeouts.lock_wait_s
        self.origin.timeouts = OriginTimeouts(
            connect_s=timeouts.origin_connect_s,
            first_byte_s=timeouts.origin_first_byte_s,
            between_bytes_s=timeouts.origin_between_bytes_s,
            idle_s=timeouts.origin_idle_s,
        )
        limits = config.limits
        self.places.most_each = limits.origin_requests_per_address
        self.unwatched.most_each = limits.unwatched_fills_per_address
        self.unwatched.most = limits.unwatched_fills
        self.unwatched_bytes.burst_bytes = limits.unwatched_bytes_per_address
        self.unwatched_bytes.rate_bytes_per_s = limits.unwatched_rate_bytes_per_s
        self.hot.clear()

    def slice_bytes_for(self, rules: CacheRules) -> int:
        """The size of the slices that a new representation is cut into."""
        return rules.slice_bytes or self.slice_bytes

    def apply_purges(self) -> None:
        """Drop what was purged since the last look, by any process."""
        generation = self.store.generation()
        if generation != self.purged_up_to:
            rules = self.store.rules_since(self.purged_up_to)
            self.hot.purge(rules)
            self.metrics.purges += len(rules)
            self.purged_up_to = generation

    def reason_not_to_store(self, total: int | None, rules: CacheRules) -> Reason:
        """Return why a storable response is not to be stored all the same, or `Reason.NONE`."""
        if rules.max_object_bytes is not None and (total or 0) > rules.max_object_bytes:
            return Reason.TOO_LARGE
        if time.monotonic() < self._full_until:
            return Reason.STORE_FULL
        if self.store.is_overheld():
            return Reason.STORE_OVERHELD
        return Reason.NONE

    def follow(self, name: bytes, number: int, busy: Busy) -> RemoteSlice | None:
        """Follow the part that another process writes; None when it is gone already.

        Whoever gets it keeps it by `FillRefs.follow`, else it is polled until its writer ends.
        """
        known = self.remotes.get((name, number))
        if known is not None and known.usable:
            return known
        follower = PartFollower.open(busy.path)
        if follower is None:
            return None
        remote = RemoteSlice(self.loop, number, follower)
        self.remotes[(name, number)] = remote

        def forget(_task: asyncio.Task[None]) -> None:
            if self.remotes.get((name, number)) is remote:
                del self.remotes[(name, number)]

        remote.polling.add_done_callback(forget)
        return remote

    async def open_stored(self, stored: StoredResponse, number: int) -> OpenBody | None:
        """Open a slice from the store; None when it is not there or is damaged.

        A slice is verified once by each worker, if so configured, and again when its file is
        another or was written to since; on a thread: reading it may wait for the disk. Raises
        OSError.
        """
        found = self.store.open_slice(stored, number)
        if found is None:
            return None
        slice_id = (stored.version, number)
        if not self.trusts(*slice_id, found):
            mark = mark_of(found.fd)
            if not await self._is_sound(found):
                self._take_out(stored, number, "its checksum is wrong")
                return None
            if len(self._verified) >= REMEMBERED_AS_VERIFIED:
                self._verified.clear()
            self._verified[slice_id] = mark
        try:
            return self.bodies.take(stored, number, found)
        except BodyError as error:
            self._take_out(stored, number, str(error))
            return None

    def trusts(self, version: bytes, number: int, found: OpenSlice | None = None) -> bool:
        """Whether this worker may send a stored slice without looking at its checksum first; with
        `found`, whether that is still the file that it looked at. Raises OSError.
        """
        if not self.verifies:
            return True
        mark = self._verified.get((version, number))
        return mark is not None and (found is None or mark_of(found.fd) == mark)

    async def _is_sound(self, found: OpenSlice) -> bool:
        """Whether its checksum is right. If it is not, or nobody waits any more, it is closed."""
        job = self.loop.run_in_executor(self.disk_threads, body_is_sound, found)
        try:
            sound = await asyncio.shield(job)
        except asyncio.CancelledError:
            # The client left. The thread still reads from the descriptor: closed when it is done.
            job.add_done_callback(lambda done: _close_after(done, found.fd))
            raise
        except OSError as error:
            log.error("stored_slice_unreadable", problem=str(error))
            sound = False
        if not sound:
            os.close(found.fd)
        return sound

    def _damaged(self, place: Place, problem: str) -> None:
        """An open file turned out to be broken while it was sent: the next one who asks for it
        has it fetched anew.
        """
        self.hot.drop(place.key, place.variant)
        self._verified.pop((place.version, place.number), None)
        try:
            stored = self.store.lookup(key_hash(place.key), place.variant)
            if stored is not None and stored.version == place.version:
                self._take_out(stored, place.number, problem)
        except (StoreError, OSError) as error:
            self.store_trouble(error)

    def _take_out(self, stored: StoredResponse, number: int, problem: str) -> None:
        self.metrics.store_corrupt += 1
        log.error("stored_slice_damaged", problem=problem, slice=number)
        self.store.remove_corrupt(stored, number)

    def store_trouble(self, error: Exception) -> None:
        """Count a failed write; after a full disk nothing is stored for a few seconds."""
        full = isinstance(error, StoreFull) or (
            isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        )
        if full:
            self.metrics.store_disk_full += 1
            self._full_until = time.monotonic() + FULL_DISK_PAUSE_S
        else:
            self.metrics.store_write_errors += 1
        log.error("store_write_failed", problem=str(error), disk_full=full)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold on to a task that nobody awaits, and say so if it ends by a fault of ours."""
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", exc_info=task.exception())

    async def settle(self) -> None:
        """Wait until no task runs."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def stop(self) -> None:
        for task in set(self._tasks):
            task.cancel()
        self.upstreams.stop()
        self.origin.close()
        self.disk_threads.shutdown(wait=False, cancel_futures=True)


def _close_after(job: asyncio.Future[bool], fd: int) -> None:
    """Close what a thread has read from, whatever came of it."""
    os.close(fd)
    if not job.cancelled():
        job.exception()  # seen: nobody else asks
