"""Composes the answer to one request: status, fields, conditions and ranges; errors of ours.

The bytes of a body are `delivery`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headrace.cache.freshness import current_age_s, remaining_s
from headrace.cache.record import StoredResponse
from headrace.cache.reuse import Reuse
from headrace.cache.status import cache_status
from headrace.edge.body.open_files import OpenBody
from headrace.edge.context import WorkerContext
from headrace.edge.peers.purges import began_field
from headrace.edge.request.deliver import Delivery
from headrace.edge.request.promote import make_hot
from headrace.edge.service.resource import Resource
from headrace.edge.service.response_heads import (
    not_modified_fields,
    stored_fields,
)
from headrace.http.answers import error_response, prepared_head
from headrace.http.conditional import evaluate_conditions, if_range_matches
from headrace.http.message import Field, Headers, Request
from headrace.http.ranges import (
    RangeNotSatisfiable,
    TooManyRanges,
    content_range,
    multipart_plan,
    parse_range,
    unsatisfied_range,
)
from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.peering import Peer

NO_ANSWER = "the origin gave no usable answer"


@dataclass(slots=True)
class CacheResult:
    """How the cache dealt with a request. `word` is the metrics' and the log's."""

    word: str
    reuse: Reuse | None = None
    fwd: bytes | None = None
    fwd_status: int | None = None
    collapsed: bool = False
    stored: bool = False
    detail: bytes | None = None


def reason_of(cache_result: CacheResult) -> str:
    """Return what the log says of why: the detail, else why a request went past the cache."""
    if cache_result.stored:
        return ""
    word = cache_result.detail
    if word is None and cache_result.word in ("pass", "bypass"):
        word = cache_result.fwd
    return (word or b"").decode("ascii", "replace")


class Cancellable(Protocol):
    """What works at an answer: a task, or a miss on the straight way."""

    def cancel(self) -> object:
        """Note that the client left."""


class Response:
    """The answer to one request; also what the log will say of it."""

    __slots__ = (
        "_edge",
        "_exchange",
        "_request",
        "age_s",
        "attempt_logs",
        "cache",
        "generation",
        "peer",
        "problem",
        "reason",
        "resource",
        "task",
    )  # fmt: skip

    def __init__(
        self, edge: WorkerContext, exchange: Exchange | None, resource: Resource | None,
        request: Request | None, peer: Peer | None = None,
    ) -> None:  # fmt: skip
        self._edge = edge
        self._exchange = exchange
        self._request = request
        self.resource = resource
        self.peer = peer  # the server of the network that asks
        self.cache = "error"
        self.generation = -1  # of the purges that the look into the store took account of
        self.age_s: float | None = None
        self.problem: str | None = None
        self.reason = ""  # why it was not stored, or what failed: the log's and the metric's word
        self.task: Cancellable | None = None
        self.attempt_logs: list[AttemptLog] = []  # of the requests to origins that it is made of

    def about(self, resource: Resource, request: Request) -> None:
        """Note what is asked for, once that is known."""
        self.resource = resource
        self._request = request

    # Fields about the cache.

    def cache_fields(
        self, cache_result: CacheResult, stored: StoredResponse | None = None
    ) -> list[Field]:
        """Cache-Status (RFC 9211), and Server-Timing where the service wants it."""
        self.cache = cache_result.word
        self.reason = reason_of(cache_result)
        resource = self.resource
        debug = resource is not None and resource.service.debug
        hit = cache_result.word in ("hit", "stale_hit") and cache_result.fwd is None
        ttl = None
        if stored is not None:
            ttl = int(remaining_s(stored, self._edge.now()))
        detail = cache_result.detail
        if debug and detail is None and cache_result.reuse is not None:
            detail = cache_result.reuse.reason or None
        value = cache_status(
            self._edge.node_id_bytes,
            hit=hit,
            fwd=None if hit else cache_result.fwd,
            fwd_status=cache_result.fwd_status,
            stored=cache_result.stored,
            collapsed=cache_result.collapsed,
            ttl=ttl,
            key=resource.key if debug and resource is not None else None,
            detail=detail,
        )
        fields: list[Field] = [(b"cache-status", value)]
        if self.peer is not None and stored is not None:
            fields.append(began_field(stored, self._edge.now()))
        if resource is not None and resource.service.server_timing:
            timing = b"cache;desc=" + cache_result.word.encode()
            if self._exchange is not None:
                spent_ms = (self._edge.monotonic() - self._exchange.began) * 1000
                timing += b", edge;dur=%.1f" % spent_ms
            fields.append((b"server-timing", timing))
        return fields

    # Stored responses.

    async def from_stored(self, delivery: Delivery, cache_result: CacheResult) -> None:
        """Answer from a stored response, whole or in ranges, or with a 304, 412 or 416."""
        request, exchange = self._request, self._exchange
        assert request is not None
        assert exchange is not None
        stored = delivery.stored
        headers = Headers(stored.headers)
        now = self._edge.now()
        self.age_s = current_age_s(stored, now)
        fields = stored_fields(stored, now, self._edge.node_id_bytes)
        condition_status = evaluate_conditions(
            request.headers, request.method, stored.status, headers
        )
        if condition_status is not None:
            fields += self.cache_fields(cache_result, stored)
            exchange.start(condition_status, not_modified_fields(fields), 0)
            exchange.finish()
            return
        spans = self._spans(stored, headers)
        if spans is not None:
            await self._send_spans(delivery, cache_result, fields, spans)
        else:
            await self._send_whole(delivery, cache_result, fields)

    def _spans(self, stored: StoredResponse, headers: Headers) -> list[tuple[int, int]] | None:
        """Return the byte ranges to send (RFC 9110 section 14.2); empty: none can be satisfied."""
        request = self._request
        assert request is not None
        value = request.headers.get(b"range")
        if value is None or stored.status != 200 or stored.length < 0 or request.method != b"GET":
            return None
        condition = request.headers.get(b"if-range")
        if condition is not None and not if_range_matches(condition, headers):
            return None
        try:
            return parse_range(value, stored.length, self._edge.config.limits.ranges)
        except TooManyRanges:
            return None
        except RangeNotSatisfiable:
            return []

    async def _send_whole(
        self, delivery: Delivery, cache_result: CacheResult, fields: list[Field]
    ) -> None:
        exchange = self._exchange
        assert exchange is not None
        stored = delivery.stored
        if exchange.head_only:
            fields += self.cache_fields(cache_result, stored)
            exchange.start(stored.status, fields, stored.length if stored.length >= 0 else None)
            exchange.finish()
            return
        end = stored.length if stored.length >= 0 else None
        opened = await delivery.prepare(0, end)
        cache_result = _as_found(cache_result, delivery)
        stored = delivery.stored
        fields += self.cache_fields(cache_result, stored)
        exchange.start(stored.status, fields, stored.length if stored.length >= 0 else None)
        if cache_result.word == "hit":
            self._make_hot(stored, opened)
        await delivery.send(0, end)
        exchange.finish()

    async def _send_spans(
        self,
        delivery: Delivery,
        cache_result: CacheResult,
        fields: list[Field],
        spans: list[tuple[int, int]],
    ) -> None:
        exchange = self._exchange
        assert exchange is not None
        length = delivery.stored.length
        if not spans:
            fields = [field for field in fields if field[0] not in (b"content-type", b"etag")]
            fields += self.cache_fields(cache_result, delivery.stored)
            fields.append((b"content-range", unsatisfied_range(length)))
            exchange.start(416, fields, 0)
            exchange.finish()
            return
        opened = await delivery.prepare(*spans[0])
        cache_result = _as_found(cache_result, delivery)
        if cache_result.word == "hit" and len(spans) == 1:
            self._make_hot(delivery.stored, opened)
        fields += self.cache_fields(cache_result, delivery.stored)
        if len(spans) == 1:
            start, end = spans[0]
            fields.append((b"content-range", content_range(start, end, length)))
            exchange.start(206, fields, end - start)
            await delivery.send(start, end)
            exchange.finish()
            return
        boundary = self._edge.random_bytes(12).hex().encode()
        content_type = Headers(fields).get(b"content-type")
        plan = multipart_plan(spans, length, content_type, boundary)
        fields = [field for field in fields if field[0] != b"content-type"]
        fields.append((b"content-type", b"multipart/byteranges; boundary=" + boundary))
        exchange.start(206, fields, plan.total_bytes)
        for head, start, end in plan.parts:
            exchange.queue(memoryview(head))
            await delivery.send(start, end)
        exchange.queue(memoryview(plan.tail))
        exchange.finish()

    def _make_hot(self, stored: StoredResponse, opened: object) -> None:
        """Remember a response that is open whole, or in several slices, for those who ask next."""
        assert self.resource is not None
        body: OpenBody | memoryview | None = None
        if stored.length < 0:
            return
        if stored.length <= stored.slice_bytes:
            if stored.length and not isinstance(opened, OpenBody):
                return
            body = opened if isinstance(opened, OpenBody) else memoryview(b"")
        make_hot(self._edge, self.resource, stored, body, -1, self.generation)

    # Errors.

    def tried_fields(self, summary: str) -> tuple[Field, ...]:
        """Return what each origin did, as a field: only on services that are debugged."""
        if summary and self.resource is not None and self.resource.service.debug:
            return ((b"headrace-tried", summary.encode("ascii", "replace")),)
        return ()

    def origin_error(self, status: int, reason: str, summary: str) -> None:
        """Answer that no origin gave a usable response."""
        self.error(status, NO_ANSWER, reason, self.tried_fields(summary))

    def error(
        self, status: int, detail: str, problem: str | None = None, extra: tuple[Field, ...] = ()
    ) -> None:
        """Answer with an error of the edge's own."""
        fields, body = error_response(status, detail, self._edge.now())
        fields += extra
        cache_result = CacheResult(
            "error", fwd=b"miss" if problem else None, detail=(problem or "").encode() or None
        )
        fields += self.cache_fields(cache_result)
        self.problem = problem
        assert self._exchange is not None
        self._exchange.respond(status, prepared_head(status, fields, len(body)), memoryview(body))

    def fault(self) -> None:
        """Say that our own code failed, or break off where an answer has begun."""
        exchange = self._exchange
        assert exchange is not None
        if exchange.status and not exchange.discard_unsent():
            exchange.abort(Reason.INTERNAL_ERROR.word)
            return
        self.error(500, "the edge failed at this request; its log says more")


def _as_found(cache_result: CacheResult, delivery: Delivery) -> CacheResult:
    """Return the cache result, unless not all of a stored response was at hand (RFC 9211 section
    2.2).
    """
    if cache_result.word not in ("hit", "stale_hit") or not delivery.fetched:
        return cache_result
    return CacheResult("partial", fwd=b"partial", collapsed=delivery.joined, stored=True)
