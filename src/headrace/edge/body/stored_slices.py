"""Finished slices of the store, opened for sending, and not trusted before they were checked.

A slice is verified once by each worker, if so configured, and again when its file is another or
was written to since; on a thread, because reading it may wait for the disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from headrace.cache.key import key_hash
from headrace.cache.record import StoredResponse
from headrace.edge.body.mapped_file import BodyError
from headrace.edge.body.open_files import BodyInMemory, OpenBodies, OpenBody, Place
from headrace.store import (
    FileMark,
    OpenSlice,
    SmallBody,
    Store,
    StoreError,
    body_is_sound,
    mark_of,
)
from headrace.telemetry.metrics import WorkerMetrics

log = structlog.get_logger()

REMEMBERED_AS_VERIFIED = 65_536


class StoredSlices:
    """The stored slices of one worker; `bodies` are those that it has open.

    `forget_hot` drops a key's variant from what is answered at once, `release_hot` what holds a
    body open there; `on_trouble` takes what goes wrong with the store itself.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: Store,
        metrics: WorkerMetrics,
        open_files: int,
        *,
        forget_hot: Callable[[bytes, bytes], None],
        release_hot: Callable[[OpenBody], None],
        on_trouble: Callable[[Exception], None],
    ) -> None:
        self.verifies = False
        self.bodies = OpenBodies(store, open_files, self._damaged, release_hot)
        store.on_removed = self.bodies.removed
        self._loop = loop
        self._store = store
        self._metrics = metrics
        self._forget_hot = forget_hot
        self._on_trouble = on_trouble
        self._verified: dict[tuple[bytes, int], FileMark] = {}
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="disk")

    async def open(self, stored: StoredResponse, number: int) -> OpenBody | None:
        """Open a slice, which counts as a use; None when it is not there or is damaged.

        Raises OSError.
        """
        found = self._store.open_slice(stored, number)
        if found is None:
            return None
        if isinstance(found, SmallBody):
            self._store.touch(found.slot)
            return BodyInMemory(found)
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
            body = self.bodies.take(stored, number, found)
        except BodyError as error:
            self._take_out(stored, number, str(error))
            return None
        self._store.touch(body.slot)
        return body

    def trusts(self, version: bytes, number: int, found: OpenSlice | None = None) -> bool:
        """Return whether a stored slice may be sent without a look at its checksum first; with
        `found`, whether that is still the file that was looked at. Raises OSError.
        """
        if not self.verifies:
            return True
        mark = self._verified.get((version, number))
        return mark is not None and (found is None or mark_of(found.fd) == mark)

    def close(self) -> None:
        """End the threads. What is open stays so for those who send it."""
        if self._store.on_removed == self.bodies.removed:
            self._store.on_removed = None
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _is_sound(self, found: OpenSlice) -> bool:
        """Return whether its checksum is right. If it is not, or no one waits any more, it is
        closed.
        """
        job = self._loop.run_in_executor(self._threads, body_is_sound, found)
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
        """An open file turned out to be broken while it was sent: whoever asks next has it
        fetched again.
        """
        self._forget_hot(place.key, place.variant)
        self._verified.pop((place.version, place.number), None)
        try:
            stored = self._store.lookup(key_hash(place.key), place.variant)
            if stored is not None and stored.version == place.version:
                self._take_out(stored, place.number, problem)
        except (StoreError, OSError) as error:
            self._on_trouble(error)

    def _take_out(self, stored: StoredResponse, number: int, problem: str) -> None:
        self._metrics.store_corrupt += 1
        log.error("stored_slice_damaged", problem=problem, slice=number)
        self._store.remove_corrupt(stored, number)


def _close_after(job: asyncio.Future[bool], fd: int) -> None:
    """Close what a thread has read from, whatever came of it."""
    os.close(fd)
    if not job.cancelled():
        job.exception()  # seen: no one else asks
