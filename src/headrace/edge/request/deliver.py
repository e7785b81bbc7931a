"""Sends the bytes of one stored response to one client, from wherever each slice is at hand.

A slice may be open already, in the store, being written by this worker or by another, or missing;
a missing one is fetched if the representation allows it.
"""

from __future__ import annotations

import asyncio

from headrace.cache.record import StoredResponse
from headrace.cache.slice_requests import SliceRequest, can_be_completed
from headrace.edge.body.growing_slice import GrowingSlice, HolderDied, SliceFailed
from headrace.edge.body.open_files import BodyInMemory, OpenBody
from headrace.edge.context import WorkerContext
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.backoff import Tries, pauses
from headrace.edge.fill.fill import Fill
from headrace.edge.fill.refs import FillRefs
from headrace.edge.fill.result import Failed, Filled, Restart, Result, StillWaiting
from headrace.edge.fill.table import (
    Begun,
    Changed,
    Exhausted,
    Followed,
    Joined,
    Refused,
    Unstorable,
)
from headrace.edge.service.resource import Resource
from headrace.errors import HeadraceError
from headrace.http.message import Request
from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason
from headrace.upstream.peering import Peer

FEW_SLICES = 4

Source = OpenBody | GrowingSlice


class SourceLost(HeadraceError):
    """The stored representation is no longer to be had whole."""


class Delivery:
    """Sends spans of a stored response. `growing` is a slice known to be under way."""

    def __init__(
        self,
        edge: WorkerContext,
        exchange: Exchange,
        resource: Resource,
        request: Request,
        stored: StoredResponse,
        growing: GrowingSlice | None,
        refs: FillRefs,
        tries: Tries,
        peer: Peer | None = None,
    ) -> None:
        self._edge = edge
        self._peer = peer
        self._exchange = exchange
        self._resource = resource
        self._request = request
        self._refs = refs
        self._tries = tries
        self._growing = growing
        self._source: Source | None = None
        self._source_number = -1
        self._end: int | None = None
        self.stored = stored
        self.fetched = False  # something that is not stored was needed, and is under way
        self.joined = False  # and another request had begun it

    async def prepare(self, start: int, end: int | None) -> OpenBody | None:
        """Get hold of the first slice before anything is sent; the body if it is open whole.

        Raises SourceLost, SliceFailed.
        """
        self._end = end
        if end is not None and start >= end:
            return None
        number = start // self.stored.slice_bytes
        self._source = await self._find(number)
        self._source_number = number
        if not isinstance(self._source, OpenBody):
            return None
        if self._source.size_bytes == self.stored.length:
            return self._source
        await self._find_first_missing(number + 1)
        return None

    async def _find_first_missing(self, number: int) -> None:
        """See to it that the next slice that is not stored can be had, before the head is sent.

        An origin that has another representation by now is noticed while there is still time to
        begin again.
        """
        stored = self.stored
        if stored.length < 0:
            return
        end = stored.length if self._end is None else self._end
        last = (end - 1) // stored.slice_bytes
        if number > last:
            return
        if last - number < FEW_SLICES:
            there = {
                n for n in range(number, last + 1) if self._edge.store.has_slice(stored.version, n)
            }
        else:
            there = set(self._edge.store.slices(stored))
        missing = next((n for n in range(number, last + 1) if n not in there), None)
        if missing is not None:
            await self._find(missing)

    async def send(self, start: int, end: int | None) -> None:
        """Send the bytes from `start` to `end` (None: to the end, not known yet).

        Raises SourceLost, SliceFailed, ClientGone.
        """
        position = start
        self._end = end
        slice_bytes = self.stored.slice_bytes
        while True:
            limit = self._limit()
            if limit is not None and position >= limit:
                return
            number = position // slice_bytes
            base = number * slice_bytes
            if self._source is None or self._source_number != number:
                self._refs.comes_to(self.stored.version, number)
                self._source = await self._find(number)
                self._source_number = number
                continue  # the length may have become known
            source = self._source
            if isinstance(source, OpenBody):
                sent = await self._send_open(source, position - base, base)
                ended = not sent
            else:
                sent = await self._follow(source, position - base, base)
                ended = source.last or (source.done and not sent)
            position += sent
            if sent:
                self._tries.progressed()
            if ended:
                limit = self._limit()
                if limit is not None and position < limit:
                    raise SliceFailed(
                        Reason.STORE_FAILED.word, f"a slice ended at {position} of {limit}"
                    )
                return  # of unknown length until now: this was its end

    def _limit(self) -> int | None:
        if self._end is not None:
            return self._end
        return self.stored.length if self.stored.length >= 0 else None

    async def _send_open(self, body: OpenBody, at: int, base: int) -> int:
        limit = self._limit()
        upto = body.size_bytes if limit is None else min(body.size_bytes, limit - base)
        if limit is not None and upto < min(self.stored.slice_bytes, limit - base):
            self._edge.store.delete(self.stored)
            raise SourceLost("a stored slice is shorter than its response")
        if upto <= at:
            return 0
        residency = None if isinstance(body, BodyInMemory) else body
        self._exchange.queue(body.view[at:upto], residency, at)
        await self._exchange.flushed()
        return upto - at

    async def _follow(self, growing: GrowingSlice, at: int, base: int) -> int:
        """Send what a growing slice has, as it comes; return the bytes sent."""
        position = at
        limit = self._limit()
        end = (
            self.stored.slice_bytes if limit is None else min(self.stored.slice_bytes, limit - base)
        )
        while position < end:
            try:
                written = await growing.beyond(position)
            except HolderDied:
                if not can_be_completed(self.stored):
                    raise
                self._edge.metrics.fills_taken_over += 1
                self._growing = self._source = None
                return position - at
            if written <= position:
                break
            view, residency, offset = growing.view(position, min(written, end))
            self._exchange.queue(view, residency, offset)
            position += len(view)
            await self._exchange.flushed()
        if position == self.stored.slice_bytes:
            # Its writer takes up the next slice before it ends this one: look no earlier.
            await growing.ended()
        return position - at

    # Finding slices.

    async def _find(self, number: int) -> Source | None:
        """Return the slice, from wherever it is; None when there is none because the length,
        unknown until now, is known. Raises SourceLost, SliceFailed.
        """
        edge = self._edge
        version = self.stored.version
        growing = self._growing
        if growing is not None and growing.number == number:
            return growing
        was_unknown = self.stored.length < 0
        for pause_s in pauses(edge.lock_wait_s):
            if was_unknown and self.stored.length >= 0:
                return None
            body = edge.bodies.peek(version, number)
            if body is not None:
                if not self._refs.fetched(version, number):
                    edge.store.touch(body.slot)  # what was fetched for this request is no hit
                return body
            found = edge.fills.growing(version, number)
            if found is not None:
                self._join(found[1])
                return found[0]
            unsaved = self._refs.unsaved(version, number)
            if unsaved is not None:
                return unsaved
            stream = edge.fills.heading_for(version, number)
            if stream is not None:
                self._join(stream)
                reached = await stream.slices.reached(number)
                if reached is not None:
                    return reached
                continue
            body = await edge.slices.open(self.stored, number)
            if body is not None:
                return body
            begun = await self._join_or_begin(number)
            if begun is not None:
                return begun
            if pause_s:
                await asyncio.sleep(pause_s)
        raise SourceLost("a slice could neither be read nor fetched")

    def _join(self, fill: Fill) -> None:
        self._uses_fill(joined=True)
        self._refs.hold(fill)

    def _uses_fill(self, *, joined: bool) -> None:
        self.joined = self.joined or (joined and not self.fetched)
        self.fetched = True

    async def _join_or_begin(self, number: int) -> GrowingSlice | None:
        """Follow whoever fetches the slice, or fetch it; None: look again.

        A slice that cannot be had fails this request and no other: what is stored stays, unless
        the origin has something else by now (SourceLost). Raises SliceFailed, SourceLost.
        """
        edge, stored = self._edge, self.stored
        if stored.length < 0 and self._length_is_known_now():
            return None
        asked = FillRequest(
            self._resource,
            self._request,
            self._exchange.address,
            stored.variant,
            SliceRequest(number, self._last_wanted(), stored),
            peer=self._peer,
        )
        entry = edge.fills.join_or_begin(
            asked,
            self._refs,
            self._tries,
            lambda: self._is_still_missing(number),
            owned=False,
            storable_only=False,
        )
        match entry:
            case Joined():
                self._uses_fill(joined=True)
                return self._joined(await edge.fills.result(entry, edge.lock_wait_s))
            case Followed(remote):
                result = await edge.fills.result(entry, edge.lock_wait_s)
                if self._is_of_another(result) and can_be_completed(stored):
                    self._refs.leave(remote)
                    return await self._own(
                        edge.fills.begin_beside(
                            asked, self._refs, self._tries, lambda: self._is_still_missing(number)
                        )
                    )
                self._uses_fill(joined=True)
                return self._joined(result)
        return await self._own(entry)

    async def _own(
        self, entry: Begun | Changed | Unstorable | Exhausted | Refused
    ) -> GrowingSlice | None:
        """Return what this request's own fill brings; None: look again. Raises SliceFailed,
        SourceLost.
        """
        match entry:
            case Begun():
                self._uses_fill(joined=False)
                return self._begun(await self._edge.fills.result(entry, self._edge.lock_wait_s))
            case Exhausted():
                raise SliceFailed(
                    Reason.ORIGIN_FAILED.word, "the origin gave nothing of use, however often asked"
                )
            case Refused():
                raise SliceFailed(
                    Reason.TOO_MANY_REQUESTS.word,
                    "too many requests to origins from one client network",
                    503,
                )
            case Changed() | Unstorable():
                return None

    def _is_of_another(self, result: Result | StillWaiting) -> bool:
        """Return whether a fill brings another representation: from before a purge, or older or
        newer than this one.
        """
        return isinstance(result, Filled) and result.stored.version != self.stored.version

    def _is_still_missing(self, number: int) -> bool:
        """Return whether a slice has to be fetched, and can be. Raises SourceLost."""
        edge, stored = self._edge, self.stored
        if edge.store.has_slice(stored.version, number):
            return False
        if can_be_completed(stored):
            return True
        edge.store.delete(stored)
        edge.hot.drop(stored.key, stored.variant)
        raise SourceLost("a slice is gone, and the response has no strong validator")

    def _begun(self, result: Result | StillWaiting) -> GrowingSlice | None:
        """Return what this request's own fill brought; None: ask the store again."""
        match result:
            case Filled(stored=found) if found.version == self.stored.version:
                return result.growing
            case Failed(status=status, reason=reason):
                status = status if status in (502, 503, 504) else 502
                raise SliceFailed(reason, f"a missing slice cannot be had: {reason}", status)
            case Restart() if self._is_still_stored():
                return None  # somebody else was at it
        raise SourceLost("the origin has another representation now")

    def _joined(self, result: Result | StillWaiting) -> GrowingSlice | None:
        """Return what another request's fill brought; None: ask the store again."""
        match result:
            case Filled(stored=found) if found.version == self.stored.version:
                return result.growing
            case Filled():
                raise SourceLost("another representation is being fetched")
            case StillWaiting():
                raise SliceFailed(
                    Reason.LOCK_WAIT.word, "another request waits for this slice too", 504
                )
            case Restart():
                return None
        if not self._tries.take():
            raise SliceFailed(Reason.ORIGIN_FAILED.word, "others could not get this slice either")
        return None  # what failed there may succeed here

    def _is_still_stored(self) -> bool:
        found = self._edge.store.lookup(self._resource.key_hash, self.stored.variant)
        return found is not None and found.version == self.stored.version

    def _last_wanted(self) -> int | None:
        if self._end is None or self._end >= self.stored.length:
            return None
        return (self._end - 1) // self.stored.slice_bytes

    def _length_is_known_now(self) -> bool:
        found = self._edge.store.lookup(self._resource.key_hash, self.stored.variant)
        if found is None or found.version != self.stored.version or found.length < 0:
            return False
        self.stored = found
        return True
