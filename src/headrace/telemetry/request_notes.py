"""What every role notes of a request that ended: a record for the access log and for those who
watch live, and what the log lost.

Watching live (see `telemetry.watch`) costs a request one comparison while no one does.
"""

from __future__ import annotations

import os

import structlog

from headrace.http.server.exchange import Exchange
from headrace.telemetry.access_line import AccessRecord
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.connection_counts import ConnectionCounts
from headrace.telemetry.logs import events_dropped
from headrace.telemetry.metrics import WorkerMetrics
from headrace.telemetry.watch import Watch

events = structlog.get_logger()

PROTOCOLS = {(1, 0): "HTTP/1.0", (1, 1): "HTTP/1.1"}
SPREAD = 40503  # odd and large: consecutive numbers times this are spread evenly


class RequestNotes(ConnectionCounts):
    """The part of a role's accounting that is the same for all; what it counts is its own."""

    def __init__(self, metrics: WorkerMetrics, log: AccessLog) -> None:
        super().__init__(metrics)
        self.log = log
        self.watch = Watch()
        self._prefix = os.urandom(6).hex()
        self._number = 0
        self._noted = log
        self._noted_lost = self._noted_errors = 0

    def note_losses(self) -> None:
        """Count what the logs lost since the last time, and say so."""
        metrics, log = self.metrics, self.log
        if self._noted is not log:
            self._noted, self._noted_lost, self._noted_errors = log, 0, 0
        lost, errors = log.dropped, log.write_errors
        if lost > self._noted_lost:
            metrics.log_dropped += lost - self._noted_lost
            events.warning(
                "access_log_records_dropped",
                count=lost - self._noted_lost,
                write_errors=errors - self._noted_errors,
            )
        self._noted_lost, self._noted_errors = lost, errors
        metrics.events_dropped = events_dropped()

    def _record_of(
        self, exchange: Exchange, ended: str, now: float, spent_s: float, first_byte_s: float | None
    ) -> AccessRecord:
        """Return a record of what the exchange knows by itself; the role adds the rest."""
        head = exchange.head
        headers = head.headers if head is not None else None
        return AccessRecord(
            started=now - spent_s,
            request_id=f"{self._prefix}-{self._number:x}",
            service="",
            client=exchange.address,
            method=head.method if head is not None else b"",
            host=(head.host or b"") if head is not None else b"",
            path=head.target if head is not None else b"",
            query=None,
            status=exchange.status,
            bytes_sent=exchange.bytes_sent,
            duration_s=spent_s,
            first_byte_s=first_byte_s,
            cache="",
            age_s=None,
            range=headers.get(b"range") if headers is not None else None,
            protocol=PROTOCOLS[head.version] if head is not None else "",
            tls=exchange.tls_version,
            user_agent=headers.get(b"user-agent") if headers is not None else None,
            referer=headers.get(b"referer") if headers is not None else None,
            ended=ended,
        )
