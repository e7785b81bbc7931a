"""Counts what happens to connections: the same for every role that serves HTTP."""

from __future__ import annotations

from headrace.reasons import of_status
from headrace.telemetry.metrics import WorkerMetrics


class ConnectionCounts:
    """The part of a role's accounting that knows nothing of its requests."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self.metrics = metrics

    def event(self, kind: str, reason: str) -> None:
        """Count an event of a connection: see `http.server.exchange.Handler`."""
        metrics = self.metrics
        match kind:
            case "refused":
                metrics.connections_refused[reason] += 1
            case "timeout":
                metrics.timeouts[reason] += 1
            case "tls":
                metrics.tls_handshakes += 1
                if reason == "resumed":
                    metrics.tls_resumed += 1
            case "tls_windows":
                metrics.tls_windows_copied += 1
            case "tls_failed":
                metrics.tls_failed[reason] += 1
            case "cold_read":
                metrics.store_cold_reads += 1

    def connections_changed(self, opened: int, closed: int) -> None:
        """Count connections that were accepted or went away."""
        self.metrics.connections_accepted += opened
        self.metrics.connections_open += opened - closed

    def parse_error(self, status: int) -> None:
        """Count a request that was refused with this status."""
        self.metrics.parse_errors[of_status(status)] += 1
