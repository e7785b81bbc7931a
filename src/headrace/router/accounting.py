"""Counts what happened to each request and connection, and writes the access log."""

from __future__ import annotations

import time

from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason
from headrace.router.network import ClassPlaces, Place
from headrace.router.tallies import Tallies
from headrace.telemetry.access_line import AccessRecord
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.telemetry.request_notes import SPREAD, RequestNotes

SLOW_CLIENT = Reason.SLOW_CLIENT.word


class Accounting(RequestNotes):
    """The part of the server's handler that only takes note."""

    def __init__(self, metrics: WorkerMetrics, tallies: Tallies, log: AccessLog) -> None:
        super().__init__(metrics, log)
        self._tallies = tallies

    def snapshot(self) -> Snapshot:
        """Return the worker's counts, with what the logs lost."""
        self.note_losses()
        self._tallies.add_to(self.metrics)
        return self.metrics.snapshot()

    def finished(self, exchange: Exchange, ended: str) -> None:
        """Count a response that ended: "complete", or why it was cut short."""
        metrics = self.metrics
        spent_s = exchange.ended - exchange.began
        metrics.routing_seconds.observe(spent_s)
        metrics.bytes_sent += exchange.bytes_sent
        metrics.responses[exchange.status // 100] += 1
        if ended != "complete" and ended == SLOW_CLIENT:
            metrics.clients_cut_slow += 1
        if self.log.enabled:
            self._number += 1
            if self.log.wanted(exchange.status, self._number * SPREAD):
                self.log.write(self._record(exchange, ended, spent_s))
        if self.watch.active:
            self._show(exchange, ended, spent_s)

    def _show(self, exchange: Exchange, ended: str, spent_s: float) -> None:
        """Let those who watch see an answer."""
        content, _server = _sent_to(exchange.context)
        head = exchange.head
        key = None
        if content and head is not None:
            key = b"%b\n%b%b" % (content.encode(), head.host or b"", head.target)
        self.watch.count(content, key, "", exchange.status, exchange.bytes_sent)
        if self.watch.examines(exchange.ended):
            if not self.log.enabled:
                self._number += 1
            self.watch.offer(self._record(exchange, ended, spent_s))

    def _record(self, exchange: Exchange, ended: str, spent_s: float) -> AccessRecord:
        first_byte_s = exchange.first_byte - exchange.began if exchange.first_byte else None
        record = self._record_of(exchange, ended, time.time(), spent_s, first_byte_s)
        record.service, record.server = _sent_to(exchange.context)
        record.path, _mark, query = record.path.partition(b"?")
        record.query = query or None
        return record


def _sent_to(context: object) -> tuple[str, str]:
    """Return the class of what was asked for, and the server where its client was sent."""
    if isinstance(context, Place):
        return context.tally.content, context.tally.server
    return (context.content.name, "") if isinstance(context, ClassPlaces) else ("", "")
