"""One fill from an origin into the store, shared by every client that wants the object.

A fill runs in its own task and may outlive the client that began it. It holds the part of the
slice it writes, so that one process at a time fills a slice; what came of it is its `result`.

What has to hold, whatever clients and origins do:
- The response, and with it a place at an origin, is closed here on every way out, unless it was
  handed over in an `Uncacheable` result; that happens only while the request that began the fill
  still waits, and when that leaves without having taken it, it is closed as well.
- A fill that no one waits for any more lives within what its client's network may leave behind
  (`interest`).
- A failure says nothing of what is stored. A stored response is removed only when the origin says
  that it has another one, or none.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from headrace.cache.record import StoredResponse
from headrace.cache.slice_requests import BodySpan, as_asked, slice_request_fields
from headrace.edge.body.growing_slice import LocalSlice
from headrace.edge.body.mapped_file import PAGE_BYTES
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.begun import Asking
from headrace.edge.fill.books import Books
from headrace.edge.fill.decide import Complete, Keep, Outdated, Refusal, Renew, Store, decide
from headrace.edge.fill.environment import FillEnvironment
from headrace.edge.fill.interest import Abandoned, Interest
from headrace.edge.fill.mirror import Seen
from headrace.edge.fill.new_record import new_record, renewed_record
from headrace.edge.fill.origin_fields import origin_fields
from headrace.edge.fill.result import Failed, Filled, Restart, Result, Uncacheable
from headrace.edge.fill.slice_writer import SliceWriter
from headrace.edge.peers.provenance import Provenance, provenance
from headrace.edge.service.forwarded_fields import asks_the_same
from headrace.edge.upstreams import note_received
from headrace.errors import release_frames
from headrace.http.message import Headers, ResponseHead
from headrace.http.parser import ParsedResponseHead
from headrace.reasons import Reason
from headrace.store import Part, StoreError
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.request_fields import has_credentials

log = structlog.get_logger()

# Why a response may not be stored although the same response to another request might be.
OWN_REASONS = frozenset((Reason.AUTHORIZATION, Reason.REQUEST_NO_STORE))


class Fill:
    """A running fill. Made by the table, which has taken a place for the client's network and a
    part; both are given back at its end.

    `owned`: the request that begins it waits for the result. `counted`: no one is interested yet,
    and that is charged to its network. `asking`: the origin was asked already.
    """

    def __init__(
        self,
        environment: FillEnvironment,
        books: Books[Fill],
        asked: FillRequest,
        part: Part | None,
        *,
        owned: bool,
        counted: bool,
        asking: Asking | None = None,
    ) -> None:
        self._environment = environment
        self._books = books
        self.asked = asked
        self._network = asked.network
        self._asking = asking
        self._generation = environment.store.generation() if asking is None else asking.generation
        self._owned = owned
        self._handed_over = self._credentialed = self._began = self._over = False
        self._source = Provenance()
        self.attempt_log = AttemptLog() if asking is None else asking.log
        self.result: asyncio.Future[Result] = environment.loop.create_future()
        self._waiters: set[asyncio.Future[None]] = set()
        self.slices = SliceWriter(environment, asked.slices, asked.resource.key_hash, part)
        self.interest = Interest(
            environment,
            self._network,
            writing=self._part_being_written,
            abandon=self._abandon,
            counted=counted,
        )
        self.slices.attach(self.interest, self)
        books.began(self)
        task = environment.loop.create_task(self._run())
        self._task: asyncio.Task[None] | None = task
        environment.tasks.track(task)

    def hold(self) -> None:
        """Add one who is interested. Each needs its `release`."""
        self.interest.hold()

    def release(self, *, owner: bool) -> None:
        """Remove one who was interested; `owner`: it was the request that began this."""
        if owner:
            self._owned = False
            result = self.result.result() if self.result.done() else None
            response = result.take() if isinstance(result, Uncacheable) else None
            if response is not None:
                response.close()
        self.interest.release()

    async def brought(self) -> Result:
        """Wait for the result, each on its own: who is cancelled takes no other along."""
        if not self.result.done():
            waiter: asyncio.Future[None] = self._environment.loop.create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        return self.result.result()

    def _part_being_written(self) -> Part | None:
        return self.slices.part

    def _abandon(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if not self._began:
            # A task that is cancelled before its first step never comes to its own end.
            self._broke_off(Reason.ABANDONED.word, 503, Reason.ABANDONED.word)
            self._end()

    # What its writer reports.

    def writes(self, growing: LocalSlice) -> None:
        """See `WriterEvents`."""
        self._books.writes(self, growing)

    def wrote(self, number: int) -> None:
        """See `WriterEvents`."""
        self._books.wrote(self, number)

    def found(self, stored: StoredResponse, growing: LocalSlice) -> None:
        """See `WriterEvents`."""
        self._settle(Filled(stored, growing))

    async def _run(self) -> None:
        self._began = True
        metrics = self._environment.metrics
        metrics.fills_started += 1
        metrics.fills_active += 1
        try:
            await self._fetch()
            metrics.fills_completed += 1
        except OriginError as error:
            metrics.fills_failed += 1
            metrics.origin_errors[error.failure.value] += 1
            self._note(error.failure.value, error)
            self._broke_off(
                Reason.ORIGIN_FAILED.word, error.status, error.failure.value, error.summary
            )
            release_frames(error)
        except (StoreError, OSError) as error:
            metrics.fills_failed += 1
            self._environment.store_trouble(error)
            self._note(Reason.STORE_FAILED.word, error)
            self._broke_off(Reason.STORE_FAILED.word, 500, Reason.STORE_FAILED.word)
            release_frames(error)
        except Abandoned as error:
            metrics.fills_abandoned += 1
            self._broke_off(Reason.ABANDONED.word, 503, Reason.ABANDONED.word)
            release_frames(error)
        except asyncio.CancelledError:
            metrics.fills_abandoned += 1
            self._broke_off(Reason.ABANDONED.word, 503, Reason.ABANDONED.word)
            raise
        finally:
            metrics.fills_active -= 1
            self._end()

    def _note(self, failure: str, error: Exception) -> None:
        log.warning(
            "fill_failed",
            service=self.asked.resource.service.name,
            failure=failure,
            problem=str(error),
            path=self.asked.request.path.decode("latin-1"),
            slice=self.slices.number,
        )

    def _broke_off(self, word: str, status: int, reason: str, summary: str = "") -> None:
        self.slices.fail(word, reason)
        self._settle(Failed(status, reason, summary))

    def _fail(self, status: int, reason: str) -> None:
        """Fail those who wait; what is stored stays."""
        if self.slices.first_part is not None:
            self.slices.first_part.fail(reason.encode())
        self._settle(Failed(status, reason))

    def _settle(self, result: Result) -> None:
        if not self.result.done():
            self.result.set_result(result)
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _end(self) -> None:
        """Give back whatever this has taken. Idempotent."""
        if self._over:
            return
        self._over = True
        self._task = None  # cancelled, it keeps its last frame, which keeps this
        self._books.ended(self)
        try:
            if self.slices.is_writing:  # a fault of ours: no one may wait for it for ever
                self._broke_off(Reason.INTERNAL_ERROR.word, 500, Reason.INTERNAL_ERROR.word)
        finally:
            self._settle(Restart())
            self.slices.close()
            self.interest.end()
            if self._asking is not None:
                self._asking.start.close()
            self._environment.places.give(self._network)

    async def _fetch(self) -> None:
        environment, asked, resource = self._environment, self.asked, self.asked.resource
        asking = self._asking
        node_id, cdn_name = environment.node_id, environment.cdn_name
        fields = [*asking.fields] if asking else origin_fields(asked, node_id, cdn_name)
        self._credentialed = has_credentials(fields)
        shared = asked.request
        if resource.service.origin_routes:  # which go by what the origin sees
            shared = replace(shared, query=resource.keyed_query, headers=Headers(fields))
        target = asking.target if asking else environment.with_sources(
            environment.upstreams.target(
                resource, shared, resource.upstream_target, self._network
            ),
            None if asked.alone else environment.plan(resource, asked.peer),
            resource, asked.peer, asked.request.authority, resource.upstream_target,
        )  # fmt: skip
        fields += slice_request_fields(asked.slices, self._slice_bytes())
        request_time = environment.now() if asking is None else asking.request_time
        response = await environment.upstreams.fetcher.request(
            target,
            b"GET",
            fields,
            on_interim=self._interim,
            hashing=target.mirror is not None,
            again=asked.slices.again,
            attempt_log=self.attempt_log,
            start=None if asking is None else asking.start,
        )
        response_time = environment.now()
        try:
            head = response.head
            self._source = provenance(head.headers, request_time, by_server=response.by_server)
            await self._answered(response, request_time, response_time)
            if target.mirror is not None and asked.slices.stored is None and response.complete:
                seen = Seen(response.status, response.read_bytes, response.digest)
                environment.compare(resource, target.mirror, fields, seen)
        finally:
            if not self._handed_over:
                note_received(environment.metrics, response)
                response.close()

    def _slice_bytes(self) -> int:
        stored = self.asked.slices.stored
        if stored is not None:
            return stored.slice_bytes
        return self._environment.slice_bytes_for(self.asked.resource.rules)

    def _interim(self, head: ParsedResponseHead) -> None:
        """A 1xx response is for the request that began this, while that waits."""
        if self._owned and self.asked.on_interim is not None:
            self.asked.on_interim(head)

    async def _answered(
        self, response: FailoverResponse, request_time: float, response_time: float
    ) -> None:
        decision = decide(
            self.asked,
            response.head,
            credentialed=self._credentialed,
            slice_bytes=self._slice_bytes(),
            request_time=request_time,
            response_time=response_time,
        )
        match decision:
            case Renew(stored, head):
                self._freshen(stored, head, request_time, response_time)
            case Outdated(stored):
                self._forget(stored)
                self._settle(Restart())
            case Refusal(status, reason):
                if decision.counted:
                    self._environment.metrics.origin_errors[reason] += 1
                self._fail(status, reason)
            case Complete(stored, span):
                await self._receive(response, stored, span)
            case Store():
                await self._store(response, decision, response_time)
            case Keep(reason, usable):
                if decision.replaces is not None:
                    self._forget(decision.replaces)
                self._not_stored(response if usable else None, response.status, reason)

    async def _store(
        self, response: FailoverResponse, decision: Store, response_time: float
    ) -> None:
        """Store a new response, unless the store has no room for it."""
        asked, environment, span = self.asked, self._environment, decision.span
        if decision.replaces is not None:
            self._forget(decision.replaces)
        reason = environment.reason_not_to_store(span.total, asked.resource.rules)
        if reason:
            usable = as_asked(asked.slices, response.status)
            self._not_stored(response if usable else None, response.status, reason)
            return
        stored = new_record(
            asked,
            decision.head,
            decision.storing,
            span,
            response_time=response_time,
            source=self._source,
            generation=self._generation,
            slice_bytes=self._slice_bytes(),
            random_bytes=environment.random_bytes,
        )
        await self._receive(response, stored, span)

    def _freshen(
        self, stored: StoredResponse, head: ResponseHead, request_time: float, response_time: float
    ) -> None:
        renewed = renewed_record(
            self.asked, stored, head,
            request_time=request_time, response_time=response_time,
            source=self._source, generation=self._generation,
        )  # fmt: skip
        self._record(renewed)
        self._environment.hot.drop(renewed.key, renewed.variant)
        self._settle(Filled(renewed, None))

    def _forget(self, stored: StoredResponse) -> None:
        self._environment.store.delete(stored)
        self._environment.hot.drop(stored.key, stored.variant)

    def _not_stored(self, response: FailoverResponse | None, status: int, reason: Reason) -> None:
        if self.slices.first_part is not None:
            self.slices.first_part.mark_uncacheable()
        if self.result.done() or not self._owned:
            response = None  # no one is there whose it would be
        elif status < 500 and not asks_the_same(
            self.asked.resource.service, self.asked.request, self.asked.variant
        ):
            # The client said more than was asked here: he asks for himself. But an origin in
            # trouble is not asked twice.
            response = None
        self._handed_over = response is not None
        self._settle(Uncacheable(response, status, reason, own=reason in OWN_REASONS))

    async def _receive(
        self, response: FailoverResponse, stored: StoredResponse, span: BodySpan
    ) -> None:
        """Write the body into slices until it ends or no one wants more of it."""
        environment, slices = self._environment, self.slices
        if not slices.begin(stored, span.start):
            return  # somebody else is at it; the result says: look again
        self._books.streams(self)
        if stored.length > stored.slice_bytes and self.asked.variant == stored.variant:
            self._record(stored)  # one slice is found by its part, and recorded with its end
        slices.announce()
        buffer = environment.receiving
        while received := await response.read_into(
            buffer[: len(buffer) - slices.position % PAGE_BYTES]
        ):
            self.interest.pay(received)
            if not slices.write(buffer[:received], span.end):
                return
        expected = span.end if span.end is not None else span.total
        if expected is not None and slices.position < expected:
            raise OriginError(
                Failure.BODY_SHORT, f"the body ended at {slices.position} of {expected}"
            )
        slices.finish(last=span.end in (None, span.total))

    def _record(self, stored: StoredResponse) -> None:
        """Let every worker find the response, while its body still comes or when it is renewed.
        Those who wait for it get it whether or not the store takes the record.
        """
        try:
            self._environment.store.record(stored, self.asked.resource.key_hash)
        except (StoreError, OSError) as error:
            self._environment.store_trouble(error)
