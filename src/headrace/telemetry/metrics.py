"""What a worker counts, as plain integers that the request path increments directly.

Each field carries its own public name and meaning, so a new metric is one line here and nothing
else. Nothing in this module reads a clock, takes a lock or does input or output.
"""

# ruff: noqa: RUF009 (the calls in the dataclass below return dataclasses.field)

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from headrace.telemetry.service_tallies import ServiceTallies

BOUNDS_S: tuple[float, ...] = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip
"""Upper bounds (inclusive, seconds) of every duration histogram; one more bucket is unbounded."""


class Kind(StrEnum):
    """How a metric behaves over time and how its value is held."""

    COUNTER = "counter"  # an int that only grows
    GAUGE = "gauge"  # an int that rises and falls, and ends with its worker
    LABELLED = "labelled"  # a Counter[str] from one label's value to a count
    HISTOGRAM = "histogram"  # a Histogram of seconds


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a field is called in public: `headrace_<family>` with these labels.

    For LABELLED, `labels` holds the one label's name with an empty value. The public value is the
    field's divided by `per`.
    """

    kind: Kind
    family: str
    help: str
    labels: tuple[tuple[str, str], ...]
    per: int = 1


class Histogram:
    """Counts of durations in fixed buckets. `observe` costs a bisection and two additions."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts: list[int] = [0] * (len(BOUNDS_S) + 1)
        self.sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class HistogramSnapshot(msgspec.Struct):
    """A histogram's state: one count per bucket (not cumulative) and the sum in seconds."""

    counts: list[int]
    sum_s: float


class Snapshot(msgspec.Struct):
    """A worker's metrics at one moment; keys are WorkerMetrics' field names. JSON-able."""

    counters: dict[str, int] = {}
    gauges: dict[str, int] = {}
    labelled: dict[str, dict[str, int]] = {}
    histograms: dict[str, HistogramSnapshot] = {}


def _counter(family: str, text: str, **labels: str) -> Any:
    meaning = Meaning(Kind.COUNTER, family, text, tuple(labels.items()))
    return dataclasses.field(default=0, metadata={"meaning": meaning})


def _gauge(family: str, text: str, **labels: str) -> Any:
    meaning = Meaning(Kind.GAUGE, family, text, tuple(labels.items()))
    return dataclasses.field(default=0, metadata={"meaning": meaning})


def _labelled(family: str, label: str, text: str, *, per: int = 1) -> Any:
    meaning = Meaning(Kind.LABELLED, family, text, ((label, ""),), per)
    return dataclasses.field(default_factory=Counter, metadata={"meaning": meaning})


def _histogram(family: str, text: str, **labels: str) -> Any:
    meaning = Meaning(Kind.HISTOGRAM, family, text, tuple(labels.items()))
    return dataclasses.field(default_factory=Histogram, metadata={"meaning": meaning})


SERVICE_COUNTS = {
    "service_requests": "requests",
    "service_hits": "hits",
    "service_bytes_sent": "bytes_sent",
    "service_errors": "errors",
    "service_origin_failures": "origin_failures",
}
"""Fields whose values are the tallies' of the services: the field's name to the tally's."""

_REQUESTS = "Requests answered, by what the cache did for them."
_FILLS = "Fills, by how they ended."
_DNS_RECEIVED = "DNS messages received."
_FIRST_BYTE = "Time from a complete request head to the response's first byte."
_TOTAL = "Time from a complete request head to the response's last byte."


@dataclass(slots=True)
class WorkerMetrics:
    """One worker's counts since it started. Increment the fields; never reset them.

    `responses[status // 100] += 1` counts by status class. The `Counter` fields take a short
    constant word (`metrics.timeouts["head"] += 1`): never text that a client chose.
    """

    requests_hit: int = _counter("requests", _REQUESTS, cache="hit")
    requests_stale_hit: int = _counter("requests", _REQUESTS, cache="stale_hit")
    requests_revalidated: int = _counter("requests", _REQUESTS, cache="revalidated")
    requests_miss: int = _counter("requests", _REQUESTS, cache="miss")
    requests_partial: int = _counter("requests", _REQUESTS, cache="partial")
    requests_collapsed: int = _counter("requests", _REQUESTS, cache="collapsed")
    requests_bypass: int = _counter("requests", _REQUESTS, cache="bypass")
    requests_pass: int = _counter("requests", _REQUESTS, cache="pass")
    requests_error: int = _counter("requests", _REQUESTS, cache="error")

    responses: list[int] = dataclasses.field(default_factory=lambda: [0] * 6)

    bytes_sent: int = _counter("sent_bytes", "Bytes sent to clients, heads and bodies.")
    bytes_from_origin: int = _counter("origin_received_bytes", "Body bytes received from origins.")
    bytes_from_servers: int = _counter(
        "peer_received_bytes", "Body bytes received from other servers of the network."
    )

    connections_open: int = _gauge("connections", "Client connections open now.")
    connections_accepted: int = _counter("connections_accepted", "Client connections accepted.")
    connections_refused: Counter[str] = _labelled(
        "connections_refused", "reason", "Client connections closed before a request was read."
    )

    tls_handshakes: int = _counter("tls_handshakes", "TLS handshakes completed.")
    tls_resumed: int = _counter("tls_resumptions", "TLS handshakes that resumed a session.")
    tls_windows_copied: int = _gauge(
        "tls_windows_copied",
        "Workers that copy what they send over TLS once more: their Python hides its OpenSSL.",
    )
    tls_failed: Counter[str] = _labelled(
        "tls_handshake_failures",
        "reason",
        "TLS handshakes that failed, and connections cut for misusing TLS.",
    )

    parse_errors: Counter[str] = _labelled(
        "parse_errors", "reason", "Requests refused because their head or framing was wrong."
    )
    timeouts: Counter[str] = _labelled("timeouts", "kind", "Waits that ended by their time limit.")
    clients_cut_slow: int = _counter(
        "slow_clients_cut", "Connections closed for taking or sending data too slowly."
    )

    fills_active: int = _gauge("fills_active", "Fills running now.")
    fills_started: int = _counter("fills_started", "Fills begun.")
    fills_completed: int = _counter("fills_ended", _FILLS, result="completed")
    fills_failed: int = _counter("fills_ended", _FILLS, result="failed")
    fills_abandoned: int = _counter("fills_ended", _FILLS, result="abandoned")
    fills_refused: int = _counter(
        "fills_refused", "Fills not begun: too many requests from one client network."
    )
    fills_taken_over: int = _counter(
        "fills_taken_over", "Fills continued after the worker that ran them died."
    )
    origin_errors: Counter[str] = _labelled(
        "origin_errors", "reason", "Requests to an origin that brought no usable response."
    )

    origin_requests: Counter[str] = _labelled(
        "origin_requests", "origin", "Requests sent to an origin, as service/pool/origin."
    )
    origin_wait: Counter[str] = _labelled(
        "origin_wait_seconds",
        "origin",
        "Time spent waiting for origins' response heads, failed tries included.",
        per=1_000_000,
    )
    origin_failures: Counter[str] = _labelled(
        "origin_failures", "origin", "Requests to an origin that failed, in the body too."
    )
    origin_retries: Counter[str] = _labelled(
        "origin_retries", "reason", "Further tries of a request, by what failed before."
    )
    origin_switches: Counter[str] = _labelled(
        "origin_switches", "reason", "Bodies continued from another origin, by what failed."
    )
    origin_switches_failed: Counter[str] = _labelled(
        "origin_switches_failed", "reason", "Bodies that no other origin could continue."
    )
    peer_hedges: Counter[str] = _labelled(
        "peer_hedges", "server", "Requests for which the next was asked too: a server was slow."
    )
    peers_asked: Counter[str] = _labelled(
        "peer_asked", "server", "Requests sent to another server of the network."
    )
    peers_failed: Counter[str] = _labelled(
        "peer_failures",
        "server",
        "Requests to another server of the network to which no response came, or half of one.",
    )
    peer_requests: Counter[str] = _labelled(
        "peer_requests", "result", "Requests of other servers of the network, by what came of them."
    )
    peer_requests_refused: Counter[str] = _labelled(
        "peer_requests_refused",
        "reason",
        "Requests that claimed to be another server's and were not believed.",
    )
    origin_ejections: Counter[str] = _labelled(
        "origin_ejections", "origin", "Origins left alone for a while because requests failed."
    )
    origin_health_changes: Counter[str] = _labelled(
        "origin_health_changes", "to", "Origins that went up or down by their health checks."
    )
    not_stored: Counter[str] = _labelled(
        "not_stored", "reason", "Responses passed on without being stored, by why."
    )
    mirror_compared: Counter[str] = _labelled(
        "mirror_compared", "result", "Answers compared with a mirror pool's, by the result."
    )

    store_write_errors: int = _counter("store_write_errors", "Writes to the store that failed.")
    store_disk_full: int = _counter("store_disk_full", "Writes refused because the disk is full.")
    store_corrupt: int = _counter("store_corrupt", "Stored files found damaged and removed.")
    store_cold_reads: int = _counter(
        "store_cold_reads", "Reads that had to wait for the disk in a helper thread."
    )
    purges: int = _counter("purges_seen", "Purge generations that a worker has taken up.")
    service_requests: Counter[str] = _labelled(
        "service_requests", "service", "Requests answered, by service."
    )
    service_hits: Counter[str] = _labelled(
        "service_hits", "service", "Requests answered from the store, fresh or stale, by service."
    )
    service_bytes_sent: Counter[str] = _labelled(
        "service_sent_bytes", "service", "Bytes sent to clients, heads and bodies, by service."
    )
    service_errors: Counter[str] = _labelled(
        "service_errors", "service", "Responses of 500 and above or cut by a failure, by service."
    )
    service_origin_failures: Counter[str] = _labelled(
        "service_origin_failures", "service", "Requests to a service's origins that failed."
    )
    services: ServiceTallies = dataclasses.field(default_factory=ServiceTallies)

    routed_sites: Counter[str] = _labelled(
        "routed_sites", "site", "Answers of a router that sent a client to a site, by the site."
    )
    routed_servers: Counter[str] = _labelled(
        "routed_servers", "server", "The same, by the server; `none` for an external site."
    )
    routed_classes: Counter[str] = _labelled(
        "routed_classes", "class", "The same, by the class of content."
    )
    routed_reasons: Counter[str] = _labelled(
        "routed_reasons", "reason", "The same, by how the sites for the client were found."
    )
    routed_transports: Counter[str] = _labelled(
        "routed_transports", "transport", "The same, by what was asked over: `http` or `dns`."
    )
    routed_fallbacks: int = _counter(
        "routed_fallbacks", "Answers that sent a client elsewhere than where it belongs."
    )
    routed_unknown_clients: int = _counter(
        "routed_unknown_clients", "Answers for clients that no coverage lists."
    )
    router_answers: Counter[str] = _labelled(
        "router_answers", "kind", "Answers of the router's own API, by kind."
    )

    log_dropped: int = _counter("log_records_dropped", "Access log records lost to a full queue.")

    events_dropped: int = _counter(
        "log_events_dropped", "Lines of the processes' own log that no one took in time."
    )

    hit_first_byte: Histogram = _histogram("first_byte_seconds", _FIRST_BYTE, cache="hit")
    miss_first_byte: Histogram = _histogram("first_byte_seconds", _FIRST_BYTE, cache="miss")
    hit_total: Histogram = _histogram("response_seconds", _TOTAL, cache="hit")
    miss_total: Histogram = _histogram("response_seconds", _TOTAL, cache="miss")

    origin_first_byte: Histogram = _histogram(
        "origin_first_byte_seconds",
        "Time from a request to an origin to its response head, or to its failure.",
    )

    routing_seconds: Histogram = _histogram(
        "routing_seconds",
        "Time from a complete request head to a router's whole answer.",
    )

    dns_udp_queries: int = _counter("dns_received", _DNS_RECEIVED, transport="udp")
    dns_tcp_queries: int = _counter("dns_received", _DNS_RECEIVED, transport="tcp")
    dns_queries: Counter[str] = _labelled("dns_queries", "type", "DNS queries read, by type.")
    dns_answers: Counter[str] = _labelled("dns_answers", "code", "DNS answers, by code.")
    dns_limited: Counter[str] = _labelled(
        "dns_limited", "kind", "DNS queries beyond a client network's share, by what it got."
    )
    dns_connections_refused: Counter[str] = _labelled(
        "dns_connections_refused", "limit", "DNS connections over TCP closed, by limit."
    )
    dns_truncated: int = _counter("dns_truncated", "DNS answers too long for their datagram.")
    dns_malformed: int = _counter("dns_malformed", "DNS messages that were no queries.")
    dns_subnets: int = _counter("dns_client_subnets", "DNS queries that said a client subnet.")
    dns_unsent: int = _counter("dns_unsent", "DNS answers that the kernel did not take.")
    dns_wait: Histogram = _histogram(
        "dns_batch_seconds", "Time to answer the DNS queries that were there at a wake-up."
    )

    def snapshot(self) -> Snapshot:
        """Return a copy of every value (about 50 µs). `responses` appears as the label `1xx` to
        `5xx`.
        """
        result = Snapshot(counters={}, gauges={}, labelled={}, histograms={})
        for name, meaning in MEANINGS.items():
            value = getattr(self, name)
            match meaning.kind:
                case Kind.COUNTER:
                    result.counters[name] = value
                case Kind.GAUGE:
                    result.gauges[name] = value
                case Kind.HISTOGRAM:
                    result.histograms[name] = HistogramSnapshot(list(value.counts), value.sum_s)
                case Kind.LABELLED if name == "responses":
                    result.labelled[name] = {f"{n}xx": value[n] for n in range(1, 6)}
                case Kind.LABELLED if name in SERVICE_COUNTS:
                    result.labelled[name] = {**value, **self.services.counts(SERVICE_COUNTS[name])}
                case Kind.LABELLED:
                    result.labelled[name] = dict(value)
        return result


def _meanings() -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for field in dataclasses.fields(WorkerMetrics):
        meaning = field.metadata.get("meaning")
        if meaning is not None:
            found[field.name] = meaning
    found["responses"] = Meaning(
        Kind.LABELLED, "responses", "Responses sent, by status class.", (("class", ""),)
    )
    return found


MEANINGS: dict[str, Meaning] = _meanings()
"""Every field of WorkerMetrics with what it is called in public."""


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Return the sum of several snapshots; every known name is present, at zero if need be."""
    total = WorkerMetrics().snapshot()
    for snapshot in snapshots:
        for name, count in snapshot.counters.items():
            total.counters[name] = total.counters.get(name, 0) + count
        for name, count in snapshot.gauges.items():
            total.gauges[name] = total.gauges.get(name, 0) + count
        for name, by_label in snapshot.labelled.items():
            sums = total.labelled.setdefault(name, {})
            for label, count in by_label.items():
                sums[label] = sums.get(label, 0) + count
        for name, histogram in snapshot.histograms.items():
            known = total.histograms.get(name)
            if known is None or len(known.counts) != len(histogram.counts):
                total.histograms[name] = HistogramSnapshot(list(histogram.counts), histogram.sum_s)
            else:
                known.counts = [a + b for a, b in zip(known.counts, histogram.counts, strict=True)]
                known.sum_s += histogram.sum_s
    return total


def retired(snapshot: Snapshot) -> Snapshot:
    """Return what remains of a dead worker's snapshot: its counters, which must never go back."""
    return Snapshot(
        counters=snapshot.counters, labelled=snapshot.labelled, histograms=snapshot.histograms
    )
