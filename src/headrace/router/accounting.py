"""Counts what happened to each request and connection, and writes the access log."""

from __future__ import annotations

import os
import time

import structlog

from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason
from headrace.router.network import ClassPlaces, Place
from headrace.router.tallies import Tallies
from headrace.telemetry.access_line import AccessRecord
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.connection_counts import ConnectionCounts
from headrace.telemetry.logs import events_dropped
from headrace.telemetry.metrics import Snapshot, WorkerMetrics

events = structlog.get_logger()

PROTOCOLS = {(1, 0): "HTTP/1.0", (1, 1): "HTTP/1.1"}
SLOW_CLIENT = Reason.SLOW_CLIENT.word
SPREAD = 40503  # odd and large: consecutive numbers times this are spread evenly


class Accounting(ConnectionCounts):
    """The part of the server's handler that only takes note."""

    def __init__(self, metrics: WorkerMetrics, tallies: Tallies, log: AccessLog) -> None:
        super().__init__(metrics)
        self.log = log
        self._tallies = tallies
        self._prefix = os.urandom(6).hex()
        self._number = 0
        self._noted = log
        self._noted_lost = 0

    def snapshot(self) -> Snapshot:
        """Return the worker's counts, with what the logs lost."""
        self.note_losses()
        self._tallies.add_to(self.metrics)
        return self.metrics.snapshot()

    def note_losses(self) -> None:
        """Count what the logs lost since the last time, and say so."""
        if self._noted is not self.log:
            self._noted, self._noted_lost = self.log, 0
        lost = self.log.dropped
        if lost > self._noted_lost:
            self.metrics.log_dropped += lost - self._noted_lost
            events.warning("access_log_records_dropped", count=lost - self._noted_lost)
        self._noted_lost = lost
        self.metrics.events_dropped = events_dropped()

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

    def _record(self, exchange: Exchange, ended: str, spent_s: float) -> AccessRecord:
        head, context = exchange.head, exchange.context
        headers = head.headers if head is not None else None
        content, server = "", ""
        if isinstance(context, Place):
            content, server = context.tally.content, context.tally.server
        elif isinstance(context, ClassPlaces):
            content = context.content.name
        path, _mark, query = (head.target if head is not None else b"").partition(b"?")
        return AccessRecord(
            started=time.time() - spent_s,
            request_id=f"{self._prefix}-{self._number:x}",
            service=content,
            client=exchange.address,
            method=head.method if head is not None else b"",
            host=(head.host or b"") if head is not None else b"",
            path=path,
            query=query or None,
            status=exchange.status,
            bytes_sent=exchange.bytes_sent,
            duration_s=spent_s,
            first_byte_s=exchange.first_byte - exchange.began if exchange.first_byte else None,
            cache="",
            age_s=None,
            range=headers.get(b"range") if headers is not None else None,
            protocol=PROTOCOLS[head.version] if head is not None else "",
            tls=exchange.tls_version,
            user_agent=headers.get(b"user-agent") if headers is not None else None,
            referer=headers.get(b"referer") if headers is not None else None,
            ended=ended,
            server=server,
        )
