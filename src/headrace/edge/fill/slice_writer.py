"""Writes the body that a fill receives into slices, for the store and for those who follow.

One slice is written at a time. The next is taken before the present one is finished, so that
whoever follows finds no gap to fill. What the store does not take is kept in memory, in bounds,
for those who follow already.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from headrace.cache.record import StoredResponse
from headrace.cache.slice_requests import SliceRequest, can_be_completed
from headrace.edge.body.growing_slice import GrowingSlice, LocalSlice, SliceFailed
from headrace.edge.fill.environment import FillEnvironment
from headrace.edge.fill.interest import Interest
from headrace.edge.fill.names import part_name
from headrace.errors import HeadraceError, release_frames
from headrace.reasons import Reason
from headrace.store import Busy, Part, PartFollower, StoreError
from headrace.upstream.errors import Failure, OriginError

UNWATCHED_LIMIT_BYTES = 64 * 1024 * 1024
READ_AHEAD_BYTES = 64 * 1024 * 1024
UNSAVED_LIMIT_BYTES = 64 * 1024 * 1024


class PermitTaken(HeadraceError):
    """The permit to write a slice is with a fill of another representation."""


class WriterEvents(Protocol):
    """Who is to know what a writer does: its fill, and through it the table."""

    def writes(self, growing: LocalSlice) -> None:
        """Note that a slice was begun; others of this worker may follow it."""

    def wrote(self, number: int) -> None:
        """Note that a slice is complete, or never will be."""

    def found(self, stored: StoredResponse, growing: LocalSlice) -> None:
        """Note that the slice that was asked for is being written."""


class SliceWriter:
    """The slices of one fill. `first_part` is the part of the one that was asked for, taken over.

    `number` is the slice being written, `furthest` the last one that a client here has come to.
    `unsaved` are complete slices that the store did not take, for those who follow. With
    `first_is_stored` the slice that was asked for is found in the store from now on.
    """

    def __init__(
        self,
        environment: FillEnvironment,
        wanted: SliceRequest,
        key_hash: bytes,
        first_part: Part | None,
    ) -> None:
        self._environment = environment
        self._wanted = wanted
        self._key_hash = key_hash
        self._interest: Interest | None = None
        self._events: WriterEvents | None = None
        self.first_part = first_part
        self.number = wanted.first
        self.furthest = wanted.first
        self.version = b""
        self.position = 0
        self.stored: StoredResponse | None = None
        self.unsaved: dict[int, LocalSlice] = {}
        self.first_is_stored = False
        self._unsaved_bytes = 0
        self._growing: LocalSlice | None = None
        self._reached: dict[int, asyncio.Future[GrowingSlice | None]] = {}

    def attach(self, interest: Interest, events: WriterEvents) -> None:
        """Report to these until `close`."""
        self._interest = interest
        self._events = events

    # For those who follow.

    @property
    def part(self) -> Part | None:
        """The part that is being written, or the first one while none is."""
        return self.first_part if self._growing is None else self._growing.part

    @property
    def _is_followed_here(self) -> bool:
        return self._interest is not None and self._interest.count > 0

    def heads_for(self, number: int) -> bool:
        """Return whether this will soon come to a slice, so that waiting is best."""
        last = self._wanted.last
        return number in (self.number, self.number + 1) and (last is None or number <= last)

    def fetched(self, version: bytes, number: int) -> bool:
        """Return whether this has come to a slice, so that it was not stored before."""
        return version == self.version and self._wanted.first <= number <= self.number

    async def reached(self, number: int) -> GrowingSlice | None:
        """Wait until slice `number` is written; None when it will not be."""
        growing = self._growing
        if growing is not None and growing.number == number:
            return growing
        future = self._reached.get(number)
        if future is None:
            future = self._reached[number] = self._environment.loop.create_future()
        return await asyncio.shield(future)

    # Writing.

    def begin(self, stored: StoredResponse, start: int) -> bool:
        """Take up the slice at byte `start`; False when somebody else is at it."""
        self.stored = stored
        self.version = stored.version
        self.position = start
        self.number = start // stored.slice_bytes
        self._growing = self._grow(stored, self.number)
        return self._growing is not None or self.number < self._wanted.first

    def write(self, data: memoryview, end: int | None) -> bool:
        """Write what came, up to byte `end` of the whole; False when the fill is to end here.

        Raises OriginError when it is more than there should be.
        """
        stored = self.stored
        assert stored is not None
        while data:
            room = (self.number + 1) * stored.slice_bytes - self.position
            if not room:
                if not self._advance(stored):
                    return False
                continue
            piece = data[:room]
            self.position += len(piece)
            if 0 <= stored.length < self.position:
                raise OriginError(Failure.BODY_LONG, "the body is longer than it said")
            if self._growing is not None:
                self._growing.write(piece)
            data = data[room:]
        at_boundary = self.position == (self.number + 1) * stored.slice_bytes
        more = at_boundary and self.position < stored.length and self.position != end
        return not more or self._advance(stored)

    def finish(self, *, last: bool) -> None:
        """Note that all has come that was to come; `last`: the object ends here."""
        assert self.stored is not None
        self._finish_slice(self.stored, last=last)

    def announce(self) -> None:
        """Report the slice now being written to those who wait for it."""
        growing, stored = self._growing, self.stored
        if growing is None or stored is None or self._events is None:
            return
        if growing.number == self._wanted.first:
            self._events.found(stored, growing)
        future = self._reached.pop(growing.number, None)
        if future is not None and not future.done():
            future.set_result(growing)

    def fail(self, word: str, reason: str) -> None:
        """Note that nothing more will come."""
        growing, self._growing = self._growing, None
        if growing is not None:
            growing.fail(SliceFailed(word, reason))
            if growing.write_error is None and growing.part is not None:
                growing.part.fail(reason.encode())
            if self._events is not None:
                self._events.wrote(growing.number)
        if self.stored is not None:
            self._forget_unless_resumable(self.stored)
        if self.first_part is not None:
            self.first_part.fail(reason.encode())

    @property
    def is_writing(self) -> bool:
        """Whether a slice is being written."""
        return self._growing is not None

    def close(self) -> None:
        """Wake all who wait for a slice that will not come, and close what is open. Idempotent."""
        if self.first_part is not None:
            self.first_part.close()
            self.first_part = None
        for future in self._reached.values():
            if not future.done():
                future.set_result(None)
        self._interest = self._events = None

    # One slice after the other.

    def _advance(self, stored: StoredResponse) -> bool:
        """Begin the next slice; False when this fill is to end here."""
        following = None
        wanted = self._is_wanted(stored, self.number + 1)
        if wanted:
            following = self._grow(stored, self.number + 1)
        self._finish_slice(stored, last=False)
        self.number += 1
        self._growing = following
        self.announce()
        return wanted and (following is not None or self.number < self._wanted.first)

    def _is_wanted(self, stored: StoredResponse, number: int) -> bool:
        last = self._wanted.last
        if last is not None and number > last:
            return False
        if self._unsaved_bytes > UNSAVED_LIMIT_BYTES:
            return False
        if number <= self._wanted.first:
            return True
        if self._is_followed_here:
            return not self._runs_ahead(stored, number)
        if self._environment.draining:
            return False
        so_far = number * stored.slice_bytes
        unfinished = stored.length - so_far if stored.length >= 0 else so_far
        return unfinished <= UNWATCHED_LIMIT_BYTES

    def _runs_ahead(self, stored: StoredResponse, number: int) -> bool:
        """Return whether all who follow are so far behind that each can have the rest fetched
        for himself when he comes to it. Else a client that reads nothing would have the origin
        send it all.
        """
        ahead_bytes = (number - self.furthest) * stored.slice_bytes
        if ahead_bytes <= READ_AHEAD_BYTES or not can_be_completed(stored):
            return False
        part = None if self._growing is None else self._growing.part
        return part is None or not part.is_followed()

    def _grow(self, stored: StoredResponse, number: int) -> LocalSlice | None:
        """Begin to write a slice, unless it is there or another process writes it.

        When the store cannot take it, it is kept in memory for those who follow. So it is while
        another representation is written in its place: a fill from before a purge, or of what
        the origin had then.
        """
        environment = self._environment
        capacity = stored.slice_bytes
        if stored.length >= 0:
            capacity = min(capacity, stored.length - number * stored.slice_bytes)
        try:
            part = self._part_for(stored, number)
            if isinstance(part, Busy):
                return None
            growing = LocalSlice(
                environment.loop, number, part, capacity, sure=stored.length >= 0,
                held=stored if self._is_held(stored) else None,
            )  # fmt: skip
        except PermitTaken as error:
            release_frames(error)  # the slice keeps it
            growing = LocalSlice(environment.loop, number, None, capacity, error)
        except (StoreError, OSError) as error:
            environment.store_trouble(error)
            release_frames(error)  # the slice keeps it
            growing = LocalSlice(environment.loop, number, None, capacity, error)
        if self._events is not None:
            self._events.writes(growing)
        return growing

    def _part_for(self, stored: StoredResponse, number: int) -> Part | Busy:
        """Return the part to write a slice into; Busy also when the slice is there already.

        Raises PermitTaken when somebody here follows this fill and another representation is
        written there.
        """
        store = self._environment.store
        part: Part | Busy
        may_be_there = stored.length >= 0
        if number == self._wanted.first and self.first_part is not None:
            part, self.first_part = self.first_part, None
            may_be_there = False  # else it would not have been asked for
        else:
            part = store.begin_part(part_name(self._key_hash, stored.variant), number)
            if isinstance(part, Busy):
                if self._is_followed_here and writes_another(part, stored.version):
                    raise PermitTaken(f"slice {number} of another representation is being written")
                return part
        try:
            if may_be_there and store.has_slice(stored.version, number):
                part.close()
                return Busy(part.path)
            if not self._is_held(stored):
                part.set_head(stored)
        except (StoreError, OSError):
            part.fail(Reason.STORE_FAILED)
            part.close()
            raise
        return part

    def _is_held(self, stored: StoredResponse) -> bool:
        """Return whether this is one slice that needs no file."""
        return stored.length <= stored.slice_bytes and self._environment.store.keeps_inside(stored)

    def _finish_slice(self, stored: StoredResponse, *, last: bool) -> None:
        environment = self._environment
        growing, self._growing = self._growing, None
        if growing is None:
            return
        if self._interest is not None and not growing.in_memory:
            self._interest.note_followers(growing.part)
        growing.finish(last=last)
        if self._events is not None:
            self._events.wrote(growing.number)
        part = growing.part
        if part is None or growing.write_error is not None:
            if part is not None and growing.write_error is not None:
                environment.store_trouble(growing.write_error)
            self._unsaved_bytes += growing.written
            self.unsaved[growing.number] = growing
            self._forget_unless_resumable(stored)
            return
        known = stored.length >= 0
        try:
            growing.hand_over()
            if part.finish(stored, growing.written, record=known or last):
                environment.bodies.adopt(stored, growing)
                self.first_is_stored |= known and growing.number == self._wanted.first
            else:
                self.unsaved[growing.number] = growing
            if growing.in_memory:
                part.close()  # no one here reads from it
        except (StoreError, OSError) as error:
            part.fail(Reason.STORE_FAILED)
            self.unsaved[growing.number] = growing
            environment.store_trouble(error)
            self._forget_unless_resumable(stored)

    def _forget_unless_resumable(self, stored: StoredResponse) -> None:
        """Remove a record whose missing slices could never be fetched apart. When the store cannot
        do even that, whoever finds the record learns of its missing slices.
        """
        if stored.length < 0:
            return
        store = self._environment.store
        try:
            if not can_be_completed(stored) or not store.slices(stored):
                store.delete(stored)
        except (StoreError, OSError) as error:
            self._environment.store_trouble(error)


def writes_another(busy: Busy, version: bytes) -> bool:
    """Return whether the part that somebody holds is of another representation, as far as its head
    is known. Raises OSError.
    """
    follower = PartFollower.open(busy.path)
    if follower is None:
        return False
    try:
        return follower.meta is not None and follower.meta.version != version
    finally:
        follower.close()
