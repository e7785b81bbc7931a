"""A slice that another worker writes, watched as it grows."""

from __future__ import annotations

import asyncio
import mmap
import os

from headrace.edge.body.growing_slice import GrowingSlice, HolderDied, SliceFailed
from headrace.errors import release_frames
from headrace.http.server.send_queue import View
from headrace.reasons import Reason
from headrace.store import PartFollower, PartPhase, StoreError

FIRST_POLL_S = 0.001
LONGEST_POLL_S = 0.02
ALIVE_CHECK_S = 0.25
MAP_ATTEMPTS = 4


class RemoteSlice(GrowingSlice):
    """A slice that another worker writes. Polls the part's control page while it is followed.

    The writer sees by the follower's lock that somebody follows, and continues for that: so a slice
    that no request here follows any more (`leave`) is released at once.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, number: int, follower: PartFollower
    ) -> None:
        super().__init__(loop, number)
        self.follower = follower
        self.phase = PartPhase.WAITING_HEAD
        self.followers = 0
        self._mapped: memoryview | None = None
        self._left = False
        self.polling = loop.create_task(self._poll_until_left())

    @property
    def usable(self) -> bool:
        """Whether more of it may come."""
        return not self.done and self.failure is None and self.follower.fd >= 0

    def leave(self) -> None:
        """Note that one request does not follow any more; the last one closes the file."""
        self.followers -= 1
        if not self.followers:
            self._left = True
            self.polling.cancel()
            self.follower.close()
            self._mapped = None  # it has a descriptor of its own; what is being sent has the views

    async def head(self, timeout_s: float) -> PartPhase:
        """Wait for the head; return the phase that the part then has. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self.phase is PartPhase.WAITING_HEAD and self.failure is None:
                waiter: asyncio.Future[None] = self.loop.create_future()
                self._waiters.append(waiter)
                await waiter
        if self.failure is not None and self.phase is PartPhase.WAITING_HEAD:
            raise self.failure.afresh()
        return self.phase

    async def _poll_until_left(self) -> None:
        """Poll. A task keeps what cancelled it, and that its frames: with them, this slice."""
        try:
            await self._poll()
        except asyncio.CancelledError as error:
            if not self._left:
                raise
            release_frames(error)

    async def _poll(self) -> None:
        pause_s = FIRST_POLL_S
        since_check_s = 0.0
        while not self.done and self.failure is None:
            try:
                changed = self._look()
                if not changed and since_check_s >= ALIVE_CHECK_S:
                    since_check_s = 0.0
                    if not self.follower.alive() and not self._look():
                        self.fail(HolderDied())
            except (OSError, StoreError) as error:
                self.fail(SliceFailed(Reason.STORE_FAILED.word, f"a part cannot be read: {error}"))
                return
            if changed:
                pause_s = FIRST_POLL_S
                since_check_s = 0.0
            else:
                await asyncio.sleep(pause_s)
                since_check_s += pause_s
                pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    def _look(self) -> bool:
        """Take in what has changed; whether anything has."""
        follower = self.follower
        phase = follower.poll()
        written = follower.written
        changed = phase is not self.phase or written != self.written
        if not changed:
            return False
        self.phase = phase
        self.written = written
        if phase is PartPhase.COMPLETE:
            self.done = True
        elif phase in (PartPhase.FAILED, PartPhase.UNCACHEABLE):
            self.fail(SliceFailed(Reason.FILL_FAILED.word, "the fill that was followed failed"))
        self._wake()
        return True

    @property
    def fd(self) -> int:
        """The descriptor of the other worker's part."""
        return self.follower.fd

    @property
    def offset(self) -> int:
        """Where in the file the body begins."""
        return self.follower.body_offset

    def view(self, start: int, end: int) -> View:
        """Return the bytes from `start` to `end`."""
        offset = self.follower.body_offset
        mapped = self._mapped
        if mapped is None or offset + end > len(mapped):
            mapped = self._mapped = self._map(offset + end)
        return mapped[offset + start : offset + end], self, start

    def _map(self, at_least: int) -> memoryview:
        """Map the file as long as it is: its full size while it grows, its true length then."""
        for _attempt in range(MAP_ATTEMPTS):
            size = os.fstat(self.follower.fd).st_size
            if size < at_least:
                break
            try:
                return memoryview(mmap.mmap(self.follower.fd, size, prot=mmap.PROT_READ))
            except ValueError:
                continue  # its writer cut it to its true length just now
        raise SliceFailed(Reason.STORE_FAILED.word, "a part is shorter than it claims")

    def __del__(self) -> None:
        self.follower.close()
