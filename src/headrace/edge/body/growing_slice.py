"""A slice of a body that is still growing, and the clients that follow it.

One worker writes it (`LocalSlice`); other workers watch the same file grow
(`headrace.edge.body.remote_slice`).
Followers map the file and send from it: a slow one holds nothing up and costs no memory. A slice
is the `Residency` of its own bytes (see `headrace.http.server.send_queue`).
"""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
from weakref import WeakSet

from headrace.cache.record import StoredResponse
from headrace.config.edge.options import INLINE_MOST_BYTES
from headrace.errors import HeadraceError, release_frames
from headrace.http.server.send_queue import View
from headrace.reasons import Reason
from headrace.store import Part, lend

SPILL_LIMIT_BYTES = 256 * 1024 * 1024
MANY_WAITERS = 8
TOGETHER_BYTES = 1024 * 1024
"""So much is waited for while more keeps coming, where many follow: each piece costs each of them
as much as a range does."""
MOST_LOOKS = 8
"""However little comes each time."""


class SliceFailed(HeadraceError):
    """The slice will not be completed. `reason` is a word for the log; `status` is for a client
    that has been sent nothing yet.
    """

    def __init__(self, reason: str, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status

    def afresh(self) -> SliceFailed:
        """Return the same, to be raised: one that is kept must never be, for it then holds every
        frame that it passes through, and with these the slice's file.
        """
        return SliceFailed(self.reason, str(self))


class HolderDied(SliceFailed):
    """The process that wrote the slice is gone; someone may take over."""

    def __init__(self) -> None:
        super().__init__("holder_died", "the worker that fetched this is gone")

    def afresh(self) -> SliceFailed:
        """Return another of the same."""
        return HolderDied()


LIVE_SLICES: WeakSet[GrowingSlice] = WeakSet()
"""All slices of this process, whose files it may hold open."""


class GrowingSlice:
    """Bytes `0` to `written` of slice `number`, which can be awaited and viewed.

    `done` means that nothing more will come; `last` then tells whether the object ends here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        self.loop = loop
        self.number = number
        self.written = 0
        self.done = False
        self.last = False
        self.failure: SliceFailed | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._woken_at = 0
        self._will_wake = False
        LIVE_SLICES.add(self)

    @property
    def spilled_bytes(self) -> int:
        """What is kept in memory because the store does not take it."""
        return 0

    def is_counted(self) -> bool:
        """Return whether the index counts the file, or another process does, while it has a
        name.
        """
        return True

    async def beyond(self, position: int) -> int:
        """Wait until there is more than `position`, or until it is done; return `written`.

        Raises SliceFailed when that will never be.
        """
        while self.written <= position and not self.done:
            if self.failure is not None:
                raise self.failure.afresh()
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiters.append(waiter)
            await waiter
        return self.written

    async def ended(self) -> None:
        """Wait until it is done or has failed."""
        while not self.done and self.failure is None:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def view(self, start: int, end: int) -> View:
        """Return the bytes from `start`, up to `end` but possibly fewer (at least one)."""
        raise NotImplementedError

    # As the residency of its bytes: they have just been written, so they are in memory.

    @property
    def fd(self) -> int:
        """The descriptor of the file that grows."""
        raise NotImplementedError

    @property
    def offset(self) -> int:
        """Where in the file the body begins."""
        raise NotImplementedError

    def lend(self, *, crowded: bool) -> bool:
        """Return False: it has no file, or one that is another's."""
        del crowded
        return False

    def resident(self, offset: int, size_bytes: int) -> bool:
        """Return True: what was just written is in memory."""
        return True

    def load(self, offset: int, size_bytes: int) -> None:
        """Do nothing: what was just written is in memory."""
        return

    def damaged(self, problem: str) -> None:
        """Fail, for the file is broken."""
        self.fail(SliceFailed(Reason.STORE_FAILED.word, problem))

    def _grew(self) -> None:
        """Wake those who wait. Many of them a little later: as long as more comes within two turns
        of the loop, in which whoever writes has one turn.
        """
        if len(self._waiters) < MANY_WAITERS:
            self._wake()
        elif not self._will_wake:
            self._will_wake = True
            self._look_again(MOST_LOOKS)

    def _look_again(self, looks: int) -> None:
        call_soon = self.loop.call_soon
        call_soon(call_soon, self._wake_unless_more_came, self.written, looks)

    def _wake_unless_more_came(self, before: int, looks: int) -> None:
        if looks and before < self.written < self._woken_at + TOGETHER_BYTES:
            self._look_again(looks - 1)
        else:
            self._will_wake = False
            self._wake()

    def _wake(self) -> None:
        self._woken_at = self.written
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, failure: SliceFailed) -> None:
        """Note that nothing more will come. What is there stays readable."""
        if self.failure is None and not self.done:
            self.failure = failure
            self._wake()


class LocalSlice(GrowingSlice):
    """A slice that this worker writes into a part of the store, at most `capacity` bytes.

    When the store cannot take more (disk full, I/O error), the rest is kept in memory for the
    clients that follow already, and the slice is not stored; `write_error` says why. Without a
    part everything is in memory from the start.

    With `held`, whose whole body this will be, all of it stays in memory: it is likely to end in
    the index, without a file. It is written out only if another process follows.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        number: int,
        part: Part | None,
        capacity: int,
        write_error: Exception | None = None,
        *,
        sure: bool = False,
        held: StoredResponse | None = None,
    ) -> None:
        super().__init__(loop, number)
        self.part = part
        self.capacity = capacity
        self.write_error = write_error
        self._offset = 0 if part is None else part.body_offset
        self._mapping: mmap.mmap | None = None
        self._mapped: memoryview | None = None
        self._spill: mmap.mmap | bytearray | None = None
        self._spill_from = 0
        self._held = None if part is None else held
        self._lent = False
        self.in_memory = self._held is not None
        if self.in_memory:
            self._spill = bytearray(capacity)
        elif part is None:
            self._spill = _memory_for(capacity)
        else:
            self._extend(part, sure=sure)

    def _extend(self, part: Part, *, sure: bool) -> None:
        """Give the file its full size, so that it can be mapped once.

        When the size is `sure`, its blocks are allocated at once: on ext4 that makes writing a
        third cheaper, and a full disk shows before the first byte. Else the file stays sparse.
        """
        size = self._offset + self.capacity
        try:
            if os.fstat(part.fd).st_size > size:  # it was a larger slice's
                os.ftruncate(part.fd, size)
            if sure and self.capacity:
                os.posix_fallocate(part.fd, 0, size)
            else:
                os.ftruncate(part.fd, size)
        except OSError as error:
            self._give_up_storing(part, error)

    def is_counted(self) -> bool:
        """Return whether the index counts the file: not one whose body it has itself."""
        return self.done and (self.part is None or not self.part.is_inside)

    @property
    def spilled_bytes(self) -> int:
        """What is held in memory because the file took no more."""
        return 0 if self._spill is None or self.in_memory else len(self._spill)

    def write(self, data: memoryview) -> None:
        """Append, and wake who follows. `data` must fit into what is left of `capacity`."""
        part = self.part if self._held is None else None
        if part is not None and self.write_error is None:
            try:
                part.write(data, self.written)
            except OSError as error:
                self._give_up_storing(part, error)
        if self._spill is not None:
            at = self.written - self._spill_from
            self._spill[at : at + len(data)] = data
        self.written += len(data)
        if part is not None and self.write_error is None:
            try:
                part.publish(self.written)
            except OSError as error:
                self._give_up_storing(part, error)
        if self._held is not None and self.written < self.capacity:
            self._show_followers(self._held)
        self._grew()

    def _show_followers(self, held: StoredResponse) -> None:
        """Write what there is into the file, from now on, if another process follows."""
        part = self.part
        if part is None or not part.is_followed():
            return
        self._held = None
        try:
            part.hold(held, self._so_far())
            part.put_out()
        except OSError as error:
            self._give_up_storing(part, error)

    def hand_over(self) -> None:
        """Give the part the whole body, where it has none of it yet, so that it can be finished."""
        if self._held is not None and self.part is not None:
            self.part.hold(self._held, self._so_far())

    def _so_far(self) -> memoryview:
        assert self._spill is not None
        return memoryview(self._spill)[: self.written]

    def _give_up_storing(self, part: Part, error: OSError) -> None:
        release_frames(error)  # they hold this
        self.write_error = error
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        part.fail(Reason.DISK_FULL if full else Reason.WRITE_FAILED)
        if not self.in_memory:
            self._spill_from = self.written
            self._spill = _memory_for(self.capacity - self.written)

    def finish(self, *, last: bool) -> None:
        """Note that all bytes are written. The part itself is finished by the caller."""
        self.last = last
        self.done = True
        self._wake()

    @property
    def mapping(self) -> mmap.mmap | None:
        """The whole file, mapped, when it was mapped for somebody and has kept its length."""
        mapping = self._mapping
        whole = mapping is not None and len(mapping) == self._offset + self.written
        return mapping if whole else None

    def __del__(self) -> None:
        # Mappings in flight outlive the descriptor: then its file must not be another part's.
        if self.part is not None:
            mapping, self._mapping, self._mapped = self._mapping, None, None
            try:
                if mapping is not None:
                    mapping.close()
            except BufferError:
                self.part.is_shared = True
            self.part.close()

    def lend(self, *, crowded: bool) -> bool:
        """Have the file never be written over. False when that cannot be noted on it, or it may be
        a spare one soon (what is in it may still go into the index); also unless `crowded`, for
        what is asked for once is best written over when it is evicted.
        """
        if not crowded or self.written <= INLINE_MOST_BYTES or self.fd < 0:
            return False
        if not self._lent:
            self._lent = lend(self.fd)
        return self._lent

    @property
    def fd(self) -> int:
        """The descriptor of the part; -1 without one."""
        return -1 if self.part is None else self.part.fd

    @property
    def offset(self) -> int:
        """Where in the file the body begins."""
        return self._offset

    def view(self, start: int, end: int) -> View:
        """Return the bytes from `start`, up to `end` but possibly fewer. Raises SliceFailed."""
        if self._spill is not None and start >= self._spill_from:
            spilled = memoryview(self._spill)
            return spilled[start - self._spill_from : end - self._spill_from], None, 0
        if self._spill is not None:
            end = min(end, self._spill_from)
        if self._mapped is None:
            assert self.part is not None
            # Its full capacity while it grows, its true length afterwards.
            size = os.fstat(self.part.fd).st_size
            if size < self._offset + end:
                raise SliceFailed(Reason.STORE_FAILED.word, "a slice's file was cut short")
            self._mapping = mmap.mmap(self.part.fd, size, prot=mmap.PROT_READ)
            self._mapped = memoryview(self._mapping)
        return self._mapped[self._offset + start : self._offset + end], self, start


def _memory_for(size_bytes: int) -> mmap.mmap:
    """Memory for what the store does not take, within what a worker may use for that. Raises
    OSError when it is used up: however many fetch while the disk is full, the worker stays.
    """
    spilled = sum(slice_.spilled_bytes for slice_ in list(LIVE_SLICES))
    if spilled + size_bytes > SPILL_LIMIT_BYTES:
        raise OSError(errno.ENOMEM, "too much is in memory already for want of a disk")
    return mmap.mmap(-1, max(size_bytes, 1))
