"""The state of a server as JSON for people and scripts: the same values as the exposition's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.telemetry.exposition import ServerFacts
from headrace.telemetry.metrics import MEANINGS, Kind, Snapshot


def report(snapshot: Snapshot, facts: ServerFacts) -> dict[str, Any]:
    """Server, workers, counts and store. Durations in seconds, times in Unix seconds."""
    return {
        "version": facts.version,
        "started": facts.started,
        "ready": facts.not_ready_because is None,
        "not_ready_because": facts.not_ready_because,
        "draining": facts.draining,
        "listening": list(facts.listening),
        "purge_generation": facts.generation,
        "reloads": {"succeeded": facts.reloads_succeeded, "failed": facts.reloads_failed},
        "workers_wanted": facts.workers_wanted,
        "workers_leaving": facts.workers_leaving,
        "worker_exits": facts.worker_exits,
        "workers": [
            {
                "number": worker.number,
                "pid": worker.pid,
                "ready": worker.ready,
                "started": worker.started,
                "cpu_s": worker.cpu_s,
                "resident_bytes": worker.resident_bytes,
            }
            for worker in facts.workers
        ],
        "counts": counts(snapshot),
        "store": dict(facts.store),
    }


def counts(snapshot: Snapshot) -> dict[str, Any]:
    """The workers' metrics by family; a family with a label is an object keyed by its values.

    A histogram shows as its count and sum; its buckets are in the exposition.
    """
    found: dict[str, Any] = {}
    for name, meaning in MEANINGS.items():
        value: int | Mapping[str, int | float]
        match meaning.kind:
            case Kind.COUNTER:
                value = snapshot.counters[name]
            case Kind.GAUGE:
                value = snapshot.gauges[name]
            case Kind.LABELLED:
                found[meaning.family] = {
                    label: count if meaning.per == 1 else count / meaning.per
                    for label, count in sorted(snapshot.labelled[name].items())
                }
                continue
            case Kind.HISTOGRAM:
                histogram = snapshot.histograms[name]
                value = {"count": sum(histogram.counts), "sum_s": histogram.sum_s}
        if meaning.labels:
            found.setdefault(meaning.family, {})[meaning.labels[0][1]] = value
        else:
            found[meaning.family] = value
    return found
