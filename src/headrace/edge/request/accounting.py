"""Counts what happened to each request and connection, and writes the access log."""

from __future__ import annotations

import time
from bisect import bisect_left

from headrace.edge.hot import AnyHit, Hit, HotEntry, ReadyHit
from headrace.edge.load.client_load import SAMPLE_MASK, ClientLoad
from headrace.edge.request.response import Response
from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason
from headrace.telemetry.access_line import AccessRecord, OriginUse
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.metrics import BOUNDS_S, WorkerMetrics
from headrace.telemetry.not_stored import NotStoredLately, counted_word
from headrace.telemetry.request_notes import SPREAD, RequestNotes
from headrace.upstream.attempt_log import AttemptLog

HITS = frozenset(("hit", "stale_hit"))
FAILURES = frozenset((Reason.ORIGIN_FAILED.word, Reason.STORE_FAILED.word))
SLOW_CLIENT = Reason.SLOW_CLIENT.word
NOT_STORED = frozenset(("miss", "pass", "bypass"))


class Accounting(RequestNotes):
    """The part of the server's handler that only takes note."""

    def __init__(self, metrics: WorkerMetrics, log: AccessLog, load: ClientLoad) -> None:
        super().__init__(metrics, log)
        self.load = load
        self.reasons = NotStoredLately()

    def finished(self, exchange: Exchange, ended: str) -> None:
        """Count a response that ended: "complete", or why it was cut short."""
        context = exchange.context
        metrics = self.metrics
        began, sent_bytes = exchange.began, exchange.bytes_sent
        spent_s = first_byte_s = exchange.ended - began
        if exchange.first_byte:
            first_byte_s = exchange.first_byte - began
        tally = None
        if type(context) is HotEntry or type(context) is ReadyHit or type(context) is Hit:
            tally = context.tally
            tally.hits += 1
            metrics.requests_hit += 1
            # As `Histogram.observe` does, without two calls for each hit.
            at = bisect_left(BOUNDS_S, first_byte_s)
            times = metrics.hit_first_byte
            times.counts[at] += 1
            times.sum_s += first_byte_s
            times = metrics.hit_total
            times.counts[at if spent_s == first_byte_s else bisect_left(BOUNDS_S, spent_s)] += 1
            times.sum_s += spent_s
            load = self.load
            if load.counting:
                flow = exchange.flows.get(context.content)
                if flow is None:
                    flow = load.flow_of(exchange, context)
                requests = flow.requests
                if not requests & SAMPLE_MASK:
                    load.sample(context.resource, sent_bytes)
                flow.requests = requests + 1
                flow.bytes += sent_bytes
        elif isinstance(context, Response):
            self._count(context, first_byte_s, spent_s, sent=sent_bytes > 0)
            if context.resource is not None:
                tally = context.resource.service.tally
                tally.hits += context.cache in HITS
                if self.load.counting and context.peer is None:
                    self.load.count(exchange.address, context.resource, sent_bytes)
            if context.cache in NOT_STORED and context.reason:
                self._not_stored(context, exchange.status)
            if ended != "complete" and context.task is not None:
                context.task.cancel()
        if tally is not None:
            tally.requests += 1
            tally.bytes_sent += sent_bytes
            if exchange.status >= 500 or (ended != "complete" and ended in FAILURES):
                tally.errors += 1
        head = exchange.head
        if head is not None and head.cmcd and self.load.counting:
            self.load.player(exchange.address, head)
        metrics.bytes_sent += sent_bytes
        metrics.responses[exchange.status // 100] += 1
        if ended != "complete" and ended == SLOW_CLIENT:
            metrics.clients_cut_slow += 1
        if self.log.enabled:
            self._number += 1
            if self.log.wanted(exchange.status, self._number * SPREAD):
                self.log.write(self._record(exchange, ended, spent_s, first_byte_s))
        if self.watch.active:
            self._show(exchange, ended, spent_s, first_byte_s)

    def _not_stored(self, answer: Response, status: int) -> None:
        counts = self.metrics.not_stored
        counts[counted_word(answer.reason, counts)] += 1
        if answer.resource is not None:
            self.reasons.note(answer.resource.key_hash, answer.reason, status, time.time())

    def _show(self, exchange: Exchange, ended: str, spent_s: float, first: float) -> None:
        """Let those who look see a response."""
        context = exchange.context
        hit = isinstance(context, AnyHit)
        resource = context.resource if isinstance(context, AnyHit | Response) else None
        self.watch.count(
            "" if resource is None else resource.service.name,
            None if resource is None else resource.key,
            "hit" if hit else getattr(context, "cache", "error"),
            exchange.status,
            exchange.bytes_sent,
        )
        if self.watch.examines(exchange.ended):
            if not self.log.enabled:
                self._number += 1
            self.watch.offer(self._record(exchange, ended, spent_s, first))

    def _count(self, answer: Response, first_byte_s: float, spent_s: float, *, sent: bool) -> None:
        metrics = self.metrics
        name = "requests_" + answer.cache
        setattr(metrics, name, getattr(metrics, name) + 1)
        if answer.peer is not None:
            metrics.peer_requests[answer.cache] += 1
        if answer.cache in HITS:
            if sent:
                metrics.hit_first_byte.observe(first_byte_s)
            metrics.hit_total.observe(spent_s)
        else:
            if sent:
                metrics.miss_first_byte.observe(first_byte_s)
            metrics.miss_total.observe(spent_s)

    def _record(
        self, exchange: Exchange, ended: str, spent_s: float, first_byte_s: float
    ) -> AccessRecord:
        context = exchange.context
        now = time.time()
        first = first_byte_s if exchange.bytes_sent else None
        record = self._record_of(exchange, ended, now, spent_s, first)
        record.cache = "error"
        resource = None
        if isinstance(context, AnyHit):
            resource = context.resource
            record.cache, record.age_s = "hit", context.age_s(now)
        elif isinstance(context, Response):
            resource = context.resource
            record.cache, record.age_s, record.reason = context.cache, context.age_s, context.reason
            record.origins = origin_use(context.attempt_logs)
            if context.peer is not None:
                record.peer = f"{context.peer.site}/{context.peer.name}"
        if resource is not None:
            record.service = resource.service.name
            record.path, record.query = resource.path or record.path, resource.query
        return record


def origin_use(attempt_logs: list[AttemptLog]) -> OriginUse | None:
    """Return what all requests that one response is made of took together; None: no origin was
    asked.
    """
    asked = [attempt_log for attempt_log in attempt_logs if attempt_log.tries]
    if not asked:
        return None
    return OriginUse(
        f"{asked[-1].pool}/{asked[-1].origin}",
        sum(attempt_log.tries for attempt_log in asked),
        sum(attempt_log.switches for attempt_log in asked),
        ", ".join(attempt_log.summary() for attempt_log in asked if attempt_log.trail),
    )
