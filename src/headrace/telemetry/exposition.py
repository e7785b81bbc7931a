"""Metrics as Prometheus text: merged worker counts, the role's state and the processes' state.

Names and units follow Prometheus' conventions (`headrace_`, `_total`, base units). Reads
nothing itself; everything comes in as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from headrace.telemetry.facts import ServerFacts, WorkerFacts
from headrace.telemetry.metrics import BOUNDS_S, MEANINGS, HistogramSnapshot, Kind, Snapshot
from headrace.telemetry.network_metrics import network_families

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(snapshot: Snapshot, facts: ServerFacts) -> bytes:
    """Return the whole answer to a scrape, in Prometheus' text format (CONTENT_TYPE)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given([*worker_families(snapshot), *server_families(facts)]))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def worker_families(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield every field of WorkerMetrics; fields with one family name become that family's
    samples.
    """
    families: dict[str, Metric] = {}
    for name, meaning in MEANINGS.items():
        labels = [label for label, _value in meaning.labels]
        values = [value for _label, value in meaning.labels]
        family = families.get(meaning.family)
        if family is None:
            family = families[meaning.family] = _family(
                meaning.kind, f"headrace_{meaning.family}", meaning.help, labels
            )
        if isinstance(family, HistogramMetricFamily):
            histogram = snapshot.histograms[name]
            family.add_metric(values, cumulative(histogram), histogram.sum_s)
        elif isinstance(family, GaugeMetricFamily):
            family.add_metric(values, snapshot.gauges[name])
        elif isinstance(family, CounterMetricFamily):
            if meaning.kind is Kind.COUNTER:
                family.add_metric(values, snapshot.counters[name])
            else:
                for value, count in sorted(snapshot.labelled[name].items()):
                    family.add_metric([value], count if meaning.per == 1 else count / meaning.per)
    yield from families.values()


def cumulative(histogram: HistogramSnapshot) -> list[tuple[str, float]]:
    """Prometheus' buckets: each upper bound with the count of all observations up to it."""
    bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    return [
        (bound, float(count))
        for bound, count in zip(bounds, accumulate(histogram.counts), strict=True)
    ]


def server_families(facts: ServerFacts) -> Iterator[Metric]:
    """Yield the families of the node, its workers' processes and its role."""
    info = GaugeMetricFamily(
        "headrace_build_info", "Always 1; the labels say what runs.", labels=["version", "python"]
    )
    info.add_metric([facts.version, facts.python], 1)
    yield info
    yield _gauge("up", "Always 1: the supervisor answers.", 1)
    yield _gauge("ready", "1 while clients are welcome.", int(facts.not_ready_because is None))
    yield _gauge("start_time_seconds", "When the server started, Unix time.", facts.started)
    yield _gauge("draining", "1 while draining or stopping.", int(facts.draining))
    yield _gauge("workers_wanted", "Workers that the config asks for.", facts.workers_wanted)
    ready = sum(worker.ready for worker in facts.workers)
    yield _gauge("workers_ready", "Workers that accept connections.", ready)
    yield _gauge(
        "workers_leaving",
        "Workers that a reload retired and that finish what they send.",
        facts.workers_leaving,
    )
    yield _counter(
        "worker_exits",
        "Workers that ended by themselves and were replaced.",
        facts.worker_exits,
    )
    reloads = CounterMetricFamily(
        "headrace_reloads", "Attempts to load a new config.", labels=["result"]
    )
    reloads.add_metric(["succeeded"], facts.reloads_succeeded)
    reloads.add_metric(["failed"], facts.reloads_failed)
    yield reloads
    expiry = GaugeMetricFamily(
        "headrace_certificate_expires_timestamp_seconds",
        "When a certificate in force expires, Unix time.",
        labels=["file"],
    )
    for file, until in sorted(facts.certificates.items()):
        expiry.add_metric([file], until)
    yield expiry
    secret = GaugeMetricFamily(
        "headrace_ticket_secret_in_force",
        "Always 1: of which shared secret keys for session tickets are made.",
        labels=["secret"],
    )
    if facts.ticket_secret:
        secret.add_metric([facts.ticket_secret], 1)
    yield secret
    yield from _process_families(facts.workers)
    yield from network_families(facts.network)
    for metric in facts.role.metrics:
        family = _counter if metric.only_grows else _gauge
        yield family(metric.name, metric.help, metric.value)


def _process_families(workers: Iterable[WorkerFacts]) -> Iterator[Metric]:
    cpu = CounterMetricFamily(
        "headrace_worker_cpu_seconds", "Processor time used by this worker.", labels=["worker"]
    )
    memory = GaugeMetricFamily(
        "headrace_worker_resident_bytes",
        "Memory resident in this worker, mapped cache files included.",
        labels=["worker"],
    )
    for worker in workers:
        if worker.cpu_s is not None:
            cpu.add_metric([str(worker.number)], worker.cpu_s)
        if worker.resident_bytes is not None:
            memory.add_metric([str(worker.number)], worker.resident_bytes)
    yield cpu
    yield memory


def _family(kind: Kind, name: str, text: str, labels: list[str]) -> Metric:
    match kind:
        case Kind.COUNTER | Kind.LABELLED:
            return CounterMetricFamily(name, text, labels=labels)
        case Kind.GAUGE:
            return GaugeMetricFamily(name, text, labels=labels)
        case Kind.HISTOGRAM:
            return HistogramMetricFamily(name, text, labels=labels)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"headrace_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"headrace_{name}", text, value=value)
