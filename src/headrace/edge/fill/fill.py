"""One fill from an origin into the store, shared by every client that wants the object.

A fill runs in its own task and may outlive the client that began it. It holds the part of the
slice it writes, so that one process at a time fills a slice; what came of it is its `result`.

What has to hold, whatever clients and origins do:
- The response, and with it a place at an origin, is closed here on every way out, unless it was
  handed over in an `Uncacheable` outcome; that happens only while the request that began the fill
  still waits, and when that leaves without having taken it, it is closed as well.
- A fill that nobody waits for any more lives within what its client's network may leave behind
  (`places`): a number of fills, and bytes. Beyond that it is broken off.
- A failure says nothing of what is stored. A stored response is removed only when the origin says
  that it has another one, or none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import structlog

from headrace.cache.presented_fields import headers_asked, vary_with
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.reuse import may_serve_stale_on_error
from headrace.cache.slice_requests import (
    BodySpan,
    SliceRequest,
    as_asked,
    can_be_completed,
    continues,
    place,
    slice_request_fields,
)
from headrace.cache.storing import (
    Storing,
    credentials_may_fill,
    decide_storing,
    sharing_refusal,
)
from headrace.cache.validation import corresponds, freshened
from headrace.cache.vary import variant_text
from headrace.edge.body.growing_slice import GrowingSlice, LocalSlice, SliceFailed
from headrace.edge.body.mapped_file import PAGE_BYTES
from headrace.edge.fill.mirror import Seen
from headrace.edge.fill.names import part_name, version_of
from headrace.edge.fill.result import Failed, Filled, Restart, Result, Uncacheable
from headrace.edge.service.forwarded_fields import asks_the_same, shared_request_fields
from headrace.errors import HeadraceError, release_frames
from headrace.http.client_network import network_of
from headrace.http.message import Field, Headers, Request, ResponseHead
from headrace.http.parser import ParsedResponseHead
from headrace.http.partial import fits_the_request
from headrace.store import Busy, Part, StoreError, locks
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.head_reader import OnInterim

if TYPE_CHECKING:
    from headrace.edge.context import WorkerContext
    from headrace.edge.service.resource import Resource

log = structlog.get_logger()

STALE_STATUSES = frozenset((500, 502, 503, 504))
UNWATCHED_LIMIT_BYTES = 64 * 1024 * 1024
READ_AHEAD_BYTES = 64 * 1024 * 1024
UNSAVED_LIMIT_BYTES = 64 * 1024 * 1024
STILL_FOLLOWED_S = 1.0
MOST_FOLLOWED = 16
# An origin that answers the request for a missing slice so has no such representation any more.
GONE_STATUSES = frozenset((404, 410, 416))
# Why a response may not be stored although the same response to another request might be.
OWN_REASONS = frozenset((b"authorization", b"request-no-store"))


class Abandoned(HeadraceError):
    """Nobody waits for the fill, and its network has nothing left to go on with."""


class Fill:
    """A running fill. `interested` counts clients that wait for it or follow it."""

    def __init__(
        self,
        edge: WorkerContext,
        resource: Resource,
        request: Request,
        network: str,
        client_address: str,
        name: bytes,
        variant: bytes,
        wanted: SliceRequest,
        part: Part | None,
        on_interim: OnInterim | None,
        *,
        owned: bool,
        counted: bool,
    ) -> None:
        """Made by `begin_fill`, which has taken a place for `network`; `_end` gives it back."""
        self._edge = edge
        self._resource = resource
        self._request = request
        self._network = network
        self._client_address = client_address
        self._name = name
        self._variant = variant
        self._slice_request = wanted
        self._part: Part | None = part
        self._on_interim = on_interim
        self._generation = edge.store.generation()
        self.interested = 0
        self._owned = owned  # the request that began it still waits for the outcome
        self._handed_over = self._credentialed = False
        self._unwatched = counted  # nobody is interested
        self._counted = counted  # and that is charged to its network
        self._began = self._over = self._looking = False
        self.number = wanted.first  # the slice being written
        self.furthest = wanted.first  # the last one that a client here has come to
        self.version = b""
        self.attempt_log = AttemptLog()
        self.result: asyncio.Future[Result] = edge.loop.create_future()
        self._reached: dict[int, asyncio.Future[GrowingSlice | None]] = {}
        self._growing: LocalSlice | None = None
        self._stored: StoredResponse | None = None
        # Complete slices that the store did not take, for those who follow.
        self.unsaved: dict[int, LocalSlice] = {}
        self._unsaved_bytes = 0
        self._followed_fds: list[int] = []  # of complete slices that other workers followed
        self._id = (name, wanted.first)
        edge.fills[self._id] = self
        task = edge.loop.create_task(self._run())
        self._task: asyncio.Task[None] | None = task
        edge.keep(task)

    # Who follows.

    def heads_for(self, number: int) -> bool:
        """Whether this fill will soon come to this slice, so that waiting is best."""
        last = self._slice_request.last
        return number in (self.number, self.number + 1) and (last is None or number <= last)

    async def reached(self, number: int) -> GrowingSlice | None:
        """Wait until this fill writes slice `number`; None when it will not."""
        growing = self._growing
        if growing is not None and growing.number == number:
            return growing
        future = self._reached.get(number)
        if future is None:
            future = self._reached[number] = self._edge.loop.create_future()
        return await asyncio.shield(future)

    def hold(self) -> None:
        """Somebody is interested. Each needs its `release`."""
        self.interested += 1
        self._unwatched = False
        self._uncount()

    def release(self, *, owner: bool) -> None:
        """Somebody is not interested any more; `owner`: it was the request that began this."""
        self.interested -= 1
        if owner:
            self._owned = False
            result = self.result.result() if self.result.done() else None
            response = result.take() if isinstance(result, Uncacheable) else None
            if response is not None:
                response.close()
        if not self.interested and not self._over:
            self._nobody_waits()

    def _nobody_waits(self) -> None:
        """Go on only as long as the network of the client that began this has room for it."""
        self._unwatched = True
        if self._edge.unwatched.take(self._network):
            self._counted = True
        elif self._followed_elsewhere():
            if not self._looking:
                self._looking = True
                self._edge.loop.call_later(STILL_FOLLOWED_S, self._still_followed)
        else:
            self._abandon()

    def _still_followed(self) -> None:
        """Look whether it is still another worker's clients that this goes on for."""
        self._looking = False
        if self._unwatched and not self._counted and not self._over:
            self._nobody_waits()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._edge.unwatched.give(self._network)

    def _followed_elsewhere(self) -> bool:
        """Whether another worker follows what is written here, or what was written before.

        A request there follows the slice that it met until it has all that it wants, so one that
        lags behind is seen by a slice that is complete.
        """
        part = self._part if self._growing is None else self._growing.part
        if part is not None and part.is_followed():
            return True
        while self._followed_fds:
            if locks.is_followed(self._followed_fds[-1]):
                return True
            os.close(self._followed_fds.pop())
        return False

    def _note_followers(self, part: Part | None) -> None:
        """Keep an eye on those who follow a slice that is complete now."""
        if part is not None and len(self._followed_fds) < MOST_FOLLOWED and part.is_followed():
            with contextlib.suppress(OSError):  # no descriptor is left: they may be cut off
                self._followed_fds.append(os.dup(part.fd))

    def _abandon(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if not self._began:
            # A task that is cancelled before its first step never comes to its own end.
            self._broke_off("abandoned", 503, "abandoned")
            self._end()

    # The run.

    async def _run(self) -> None:
        self._began = True
        metrics = self._edge.metrics
        metrics.fills_started += 1
        metrics.fills_active += 1
        try:
            await self._fetch()
            metrics.fills_completed += 1
        except OriginError as error:
            metrics.fills_failed += 1
            metrics.origin_errors[error.failure.value] += 1
            self._note(error.failure.value, error)
            self._broke_off("origin_failed", error.status, error.failure.value, error.summary)
            release_frames(error)
        except (StoreError, OSError) as error:
            metrics.fills_failed += 1
            self._edge.store_trouble(error)
            self._note("store_failed", error)
            self._broke_off("store_failed", 500, "store_failed")
            release_frames(error)
        except Abandoned as error:
            metrics.fills_abandoned += 1
            self._broke_off("abandoned", 503, "abandoned")
            release_frames(error)
        except asyncio.CancelledError:
            metrics.fills_abandoned += 1
            self._broke_off("abandoned", 503, "abandoned")
            raise
        finally:
            metrics.fills_active -= 1
            self._end()

    def _note(self, failure: str, error: Exception) -> None:
        log.warning(
            "fill_failed", service=self._resource.service.name, failure=failure, problem=str(error),
            path=self._request.path.decode("latin-1"), slice=self.number,
        )  # fmt: skip

    def _broke_off(self, word: str, status: int, reason: str, summary: str = "") -> None:
        growing, self._growing = self._growing, None
        if growing is not None:
            growing.fail(SliceFailed(word, reason))
            if growing.write_error is None and growing.part is not None:
                growing.part.fail(reason.encode())
            self._edge.growing.pop((self.version, growing.number), None)
        if self._stored is not None:
            self._forget_unless_resumable(self._stored)
        self._fail(status, reason, summary)

    def _fail(self, status: int, reason: str, summary: str = "") -> None:
        if self._part is not None:
            self._part.fail(reason.encode())
        self._settle(Failed(status, reason, summary))

    def _settle(self, result: Result) -> None:
        if not self.result.done():
            self.result.set_result(result)

    def _end(self) -> None:
        """Give back whatever this has taken. Idempotent."""
        if self._over:
            return
        self._over = True
        self._task = None  # cancelled, it keeps its last frame, which keeps this
        edge = self._edge
        if edge.fills.get(self._id) is self:
            del edge.fills[self._id]
        if edge.streams.get(self.version) is self:
            del edge.streams[self.version]
        if self._growing is not None:  # a fault of ours: nobody may wait for it for ever
            self._broke_off("internal_error", 500, "internal_error")
        if self._part is not None:
            self._part.close()
            self._part = None
        while self._followed_fds:
            os.close(self._followed_fds.pop())
        self._settle(Restart())
        for future in self._reached.values():
            if not future.done():
                future.set_result(None)
        self._uncount()
        edge.places.give(self._network)

    async def _fetch(self) -> None:
        edge, resource, wanted = self._edge, self._resource, self._slice_request
        service = resource.service
        fields = shared_request_fields(
            service, resource.rules, self._request, self._variant, self._client_address,
            edge.server_name,
        )  # fmt: skip
        fields = self._with_or_without_credentials(fields)
        asked = replace(self._request, query=resource.keyed_query, headers=Headers(fields))
        target = edge.upstreams.target(resource, asked, resource.upstream_target, self._network)
        fields += slice_request_fields(wanted, self._slice_bytes())
        request_time = time.time()
        response = await edge.upstreams.fetcher.request(
            target,
            b"GET",
            fields,
            on_interim=self._interim,
            hashing=target.mirror is not None,
            again=wanted.again,
            attempt_log=self.attempt_log,
        )
        response_time = time.time()
        try:
            await self._answered(response, request_time, response_time)
            if target.mirror is not None and wanted.stored is None and response.complete:
                seen = Seen(response.status, response.read_bytes, response.digest)
                edge.keep(
                    edge.loop.create_task(
                        edge.mirrors.compare(edge, resource, target.mirror, fields, seen)
                    )
                )
        finally:
            if not self._handed_over:
                edge.metrics.bytes_from_origin += response.received_bytes
                response.close()

    def _with_or_without_credentials(self, fields: list[Field]) -> list[Field]:
        """The fields to ask with. What completes a stored response is shared as that is: it is
        asked for with a client's credentials only if that response says that they do not matter.
        """
        stored = self._slice_request.stored
        if stored is not None and not self._slice_request.validate:
            fits = credentials_may_fill(Headers(stored.headers), self._resource.rules)
            if not fits:
                fields = [field for field in fields if field[0] != b"authorization"]
        self._credentialed = any(field[0] == b"authorization" for field in fields)
        return fields

    def _slice_bytes(self) -> int:
        stored = self._slice_request.stored
        return (
            self._edge.slice_bytes_for(self._resource.rules)
            if stored is None
            else stored.slice_bytes
        )

    def _interim(self, head: ParsedResponseHead) -> None:
        """A 1xx response is for the request that began this, while that waits."""
        if self._owned and self._on_interim is not None:
            self._on_interim(head)

    async def _answered(
        self, response: FailoverResponse, request_time: float, response_time: float
    ) -> None:
        wanted = self._slice_request
        parsed = response.head
        status = parsed.status
        head = ResponseHead(status, parsed.headers, parsed.reason, parsed.version)
        if wanted.stored is not None and wanted.validate:
            if status == 304:
                self._freshen(wanted.stored, head, request_time, response_time)
                return
            if status in STALE_STATUSES and may_serve_stale_on_error(
                wanted.stored, self._resource.rules, self._request, response_time
            ):
                self._edge.metrics.origin_errors[f"status_{status}"] += 1
                self._fail(status, f"status_{status}")
                return
        span = place(wanted, parsed, self._slice_bytes())
        if wanted.stored is not None and not wanted.validate:
            if await self._completed(response, wanted.stored, span):
                return
        elif span is None:
            fits = self._owned and fits_the_request(self._request, parsed)
            self._not_stored(response if fits else None, status, b"unusable-range")
            return
        assert span is not None
        storing = decide_storing(
            self._request, _as_whole(head), self._resource.rules,
            request_time=request_time, response_time=response_time,
        )  # fmt: skip
        reason = storing.reason
        if storing.store:
            reason = self._edge.reason_not_to_store(span.total, self._resource.rules)
            if not reason:
                stored = self._new_record(head, storing, span, response_time)
                await self._receive(response, stored, span)
                return
        self._not_stored(response if as_asked(wanted, status) else None, status, reason)

    async def _completed(
        self, response: FailoverResponse, stored: StoredResponse, span: BodySpan | None
    ) -> bool:
        """Take the answer to a request for missing slices of `stored`; False when it is another
        representation, whole, which may be stored in its stead.

        Only an answer that says that the origin has something else now, or nothing, removes what
        is stored. An error, or a part that was not asked for, fails those who wait for this slice.
        So does a part that is not to be shared, if one client's credentials may be why; else what
        is stored is not to be shared any more either.
        """
        status = response.status
        if status in (200, 206) and span is not None:
            if continues(stored, span, response.head.headers):
                parsed = response.head
                head = ResponseHead(status, parsed.headers, parsed.reason, parsed.version)
                rules = self._resource.rules
                refusal = sharing_refusal(head, rules)
                if self._credentialed and not credentials_may_fill(parsed.headers, rules):
                    refusal = refusal or b"authorization"
                if refusal and self._credentialed:
                    self._fail(502, f"not_shared_{refusal.decode()}")
                    return True
                if refusal:
                    self._outdated(stored)
                    return True
                await self._receive(response, stored, span)
                return True
            if status == 206:
                self._outdated(stored)
                return True
            self._forget(stored)
            return False
        if status == 206:
            self._fail(502, "unusable_range")
        elif status in GONE_STATUSES or 300 <= status < 400:
            self._outdated(stored)
        else:
            self._fail(502, f"status_{status}")
        return True

    def _freshen(
        self, stored: StoredResponse, head: ResponseHead, request_time: float, response_time: float
    ) -> None:
        if not corresponds(Headers(stored.headers), head.headers):
            self._outdated(stored)  # it speaks of another representation than ours
            return
        renewed = freshened(
            stored, head, self._resource.rules, self._request,
            request_time=request_time, response_time=response_time,
        )  # fmt: skip
        flags = renewed.flags & ~int(StoredFlag.HTTP_1_0) | _version_flag(head)
        renewed = msgspec.structs.replace(renewed, generation=self._generation, flags=flags)
        self._edge.store.record(renewed, self._resource.key_hash)
        self._edge.hot.drop(renewed.key, renewed.variant)
        self._settle(Filled(renewed, None))

    def _forget(self, stored: StoredResponse) -> None:
        self._edge.store.delete(stored)
        self._edge.hot.drop(stored.key, stored.variant)

    def _outdated(self, stored: StoredResponse) -> None:
        """The origin has another representation now, or none: forget this one."""
        self._forget(stored)
        self._settle(Restart())

    def _not_stored(self, response: FailoverResponse | None, status: int, reason: bytes) -> None:
        if self._part is not None:
            self._part.mark_uncacheable()
        if self.result.done() or not self._owned:
            response = None  # nobody is there whose it would be
        elif status < 500 and not asks_the_same(
            self._resource.service, self._request, self._variant
        ):
            # The client said more than was asked here: he asks for himself. But an origin in
            # trouble is not asked twice.
            response = None
        self._handed_over = response is not None
        self._settle(Uncacheable(response, status, reason, own=reason in OWN_REASONS))

    def _new_record(
        self, head: ResponseHead, storing: Storing, span: BodySpan, response_time: float
    ) -> StoredResponse:
        resource = self._resource
        slice_bytes = self._slice_bytes()
        vary = vary_with(storing.vary, self._variant, head.headers, resource.rules)
        # Of what Vary names, the origin saw what it was asked with: its answer is for that.
        asked = headers_asked(self._variant, self._request.headers, resource.rules)
        variant = variant_text(vary, asked, resource.rules)
        return StoredResponse(
            key=resource.key,
            variant=variant,
            vary=vary,
            status=200 if head.status == 206 else head.status,
            headers=storing.headers,
            response_time=response_time,
            corrected_age_s=storing.corrected_age_s,
            lifetime_s=storing.lifetime_s,
            stale_while_revalidate_s=storing.stale_while_revalidate_s,
            stale_if_error_s=storing.stale_if_error_s,
            flags=int(storing.flags) | _version_flag(head),
            length=-1 if span.total is None else span.total,
            slice_bytes=slice_bytes,
            version=version_of(resource.key, variant, head.headers, self._generation, slice_bytes),
            generation=self._generation,
            tags=storing.tags,
        )

    # The body.

    async def _receive(
        self, response: FailoverResponse, stored: StoredResponse, span: BodySpan
    ) -> None:
        """Write the body into slices until it ends or nobody wants more of it."""
        edge = self._edge
        self._stored = stored
        self.version = stored.version
        self.number = span.start // stored.slice_bytes
        self._growing = self._grow(stored, self.number)
        if self._growing is None and self.number >= self._slice_request.first:
            return  # somebody else is at it; the outcome says: look again
        edge.streams.setdefault(stored.version, self)
        if stored.length > stored.slice_bytes and self._variant == stored.variant:
            self._record(stored)  # one slice is found by its part, and recorded with its end
        self._announce(stored)
        position = span.start
        buffer = edge.receiving
        while received := await response.read_into(buffer[: len(buffer) - position % PAGE_BYTES]):
            self._pay(received)
            data = buffer[:received]
            while data:
                room = (self.number + 1) * stored.slice_bytes - position
                if not room:
                    if not self._advance(stored):
                        return
                    continue
                piece = data[:room]
                position += len(piece)
                if 0 <= stored.length < position:
                    raise OriginError(Failure.BODY_LONG, "the body is longer than it said")
                if self._growing is not None:
                    self._growing.write(piece)
                data = data[room:]
            at_boundary = position == (self.number + 1) * stored.slice_bytes
            more = at_boundary and position < stored.length and position != span.end
            if more and not self._advance(stored):
                return
        expected = span.end if span.end is not None else span.total
        if expected is not None and position < expected:
            raise OriginError(Failure.BODY_SHORT, f"the body ended at {position} of {expected}")
        self._finish_slice(stored, last=span.end in (None, span.total))

    def _pay(self, size_bytes: int) -> None:
        """Charge bytes that nobody waits for to the network that asked for them.

        Raises Abandoned when it has no more.
        """
        edge = self._edge
        if (
            self._unwatched
            and not edge.unwatched_bytes.spend(self._network, size_bytes, edge.loop.time())
            and not self._followed_elsewhere()
        ):
            raise Abandoned("nobody waits for this, and its network's allowance is spent")

    def _record(self, stored: StoredResponse) -> None:
        """Let every worker find the response while its body still comes."""
        try:
            self._edge.store.record(stored, self._resource.key_hash)
        except (StoreError, OSError) as error:
            self._edge.store_trouble(error)

    def _announce(self, stored: StoredResponse) -> None:
        """Tell who waits for it that the slice now being written is theirs."""
        growing = self._growing
        if growing is None:
            return
        if growing.number == self._slice_request.first:
            self._settle(Filled(stored, growing))
        future = self._reached.pop(growing.number, None)
        if future is not None and not future.done():
            future.set_result(growing)

    def _advance(self, stored: StoredResponse) -> bool:
        """Go on to the next slice; False when this fill is to end here."""
        following = None
        wanted = self._wanted(stored, self.number + 1)
        if wanted:
            # Taken before the present one is finished: whoever follows finds no gap to fill.
            following = self._grow(stored, self.number + 1)
        self._finish_slice(stored, last=False)
        self.number += 1
        self._growing = following
        self._announce(stored)
        return wanted and (following is not None or self.number < self._slice_request.first)

    def _wanted(self, stored: StoredResponse, number: int) -> bool:
        last = self._slice_request.last
        if last is not None and number > last:
            return False
        if self._unsaved_bytes > UNSAVED_LIMIT_BYTES:
            return False
        if number <= self._slice_request.first:
            return True
        if self.interested:
            return not self._runs_ahead(stored, number)
        if self._edge.draining:
            return False
        so_far = number * stored.slice_bytes
        unfinished = stored.length - so_far if stored.length >= 0 else so_far
        return unfinished <= UNWATCHED_LIMIT_BYTES

    def _runs_ahead(self, stored: StoredResponse, number: int) -> bool:
        """Whether all who follow are so far behind that each can have the rest fetched for himself
        when he comes to it. Else a client that reads nothing would have the origin send it all.
        """
        ahead_bytes = (number - self.furthest) * stored.slice_bytes
        if ahead_bytes <= READ_AHEAD_BYTES or not can_be_completed(stored):
            return False
        part = None if self._growing is None else self._growing.part
        return part is None or not part.is_followed()

    def _grow(self, stored: StoredResponse, number: int) -> LocalSlice | None:
        """Begin to write a slice, unless it is there or another process writes it.

        When the store cannot take it, it is kept in memory for those who follow.
        """
        edge = self._edge
        capacity = stored.slice_bytes
        if stored.length >= 0:
            capacity = min(capacity, stored.length - number * stored.slice_bytes)
        try:
            part = self._part_for(stored, number)
            if isinstance(part, Busy):
                return None
            growing = LocalSlice(edge.loop, number, part, capacity, sure=stored.length >= 0)
        except (StoreError, OSError) as error:
            edge.store_trouble(error)
            growing = LocalSlice(edge.loop, number, None, capacity, error)
        edge.growing[(stored.version, number)] = (growing, self)
        return growing

    def _part_for(self, stored: StoredResponse, number: int) -> Part | Busy:
        """The part to write a slice into; Busy also when the slice is there already."""
        store = self._edge.store
        part: Part | Busy
        if number == self._slice_request.first and self._part is not None:
            part, self._part = self._part, None
        else:
            name = part_name(self._resource.key_hash, stored.variant)
            part = store.begin_part(name, number)
            if isinstance(part, Busy):
                return part
            if stored.length >= 0 and store.has_slice(stored.version, number):
                part.close()
                return Busy(part.path)
        try:
            part.set_head(stored)
        except (StoreError, OSError):
            part.fail(b"store_failed")
            part.close()
            raise
        return part

    def _finish_slice(self, stored: StoredResponse, *, last: bool) -> None:
        edge = self._edge
        growing, self._growing = self._growing, None
        if growing is None:
            return
        self._note_followers(growing.part)
        growing.finish(last=last)
        edge.growing.pop((stored.version, growing.number), None)
        part = growing.part
        if part is None or growing.write_error is not None:
            if part is not None and growing.write_error is not None:
                edge.store_trouble(growing.write_error)
            self._unsaved_bytes += growing.written
            self.unsaved[growing.number] = growing
            self._forget_unless_resumable(stored)
            return
        known = stored.length >= 0
        try:
            if part.finish(stored, growing.written, record=known or last):
                edge.bodies.adopt(stored, growing)
            else:
                self.unsaved[growing.number] = growing
        except (StoreError, OSError) as error:
            part.fail(b"store_failed")
            self.unsaved[growing.number] = growing
            edge.store_trouble(error)
            self._forget_unless_resumable(stored)

    def _forget_unless_resumable(self, stored: StoredResponse) -> None:
        """Remove a record whose missing slices could never be fetched apart."""
        if stored.length < 0:
            return
        if not can_be_completed(stored) or not self._edge.store.slices(stored):
            self._edge.store.delete(stored)


def begin_fill(
    edge: WorkerContext,
    resource: Resource,
    request: Request,
    client_address: str,
    name: bytes,
    variant: bytes,
    wanted: SliceRequest,
    part: Part | None,
    on_interim: OnInterim | None = None,
    *,
    owned: bool = False,
    watched: bool = True,
) -> Fill | None:
    """Start a fill, which takes over `part`; None when the client's network has no room for it.

    `owned`: an answer that may not be stored is of use to the request that begins this.
    `watched`: somebody will hold it at once.
    """
    network = network_of(client_address)
    if not edge.places.take(network):
        edge.metrics.fills_refused += 1
    elif not watched and not edge.unwatched.take(network):
        edge.places.give(network)
    else:
        return Fill(
            edge,
            resource,
            request,
            network,
            client_address,
            name,
            variant,
            wanted,
            part,
            on_interim,
            owned=owned,
            counted=not watched,
        )
    if part is not None:
        part.close()
    return None


def _version_flag(head: ResponseHead) -> int:
    return int(StoredFlag.HTTP_1_0) if head.version == (1, 0) else 0


def _as_whole(head: ResponseHead) -> ResponseHead:
    """A partial response as the storing rules shall see it: the whole, less what is of the part."""
    if head.status != 206:
        return head
    headers = head.headers.without((b"content-range", b"content-length"))
    return ResponseHead(200, headers, head.reason, head.version)
