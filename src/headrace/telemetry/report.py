"""The state of a server as JSON for people and scripts: the same values as the exposition's."""

from __future__ import annotations

import msgspec

from headrace.telemetry.facts import ServerFacts, WorkerFacts
from headrace.telemetry.metrics import MEANINGS, Kind, Snapshot
from headrace.telemetry.network import NetworkFacts

Counted = float | dict[str, float]
Counts = dict[str, float | dict[str, Counted]]


class Reloads(msgspec.Struct):
    """How many reloads there were since the start, by what came of them."""

    succeeded: int
    failed: int


class Report(msgspec.Struct):
    """Node, workers and counts. Durations in seconds, times in Unix seconds."""

    version: str
    started: float
    ready: bool
    not_ready_because: str | None
    draining: bool
    listening: list[str]
    reloads: Reloads
    workers_wanted: int
    workers_leaving: int
    worker_exits: int
    workers: list[WorkerFacts]
    network: NetworkFacts | None
    counts: Counts


def report(snapshot: Snapshot, facts: ServerFacts, model: type[Report] = Report) -> Report:
    """Return the state of a node, as it is shown; what `model` adds is the role's."""
    return model(
        version=facts.version,
        started=facts.started,
        ready=facts.not_ready_because is None,
        not_ready_because=facts.not_ready_because,
        draining=facts.draining,
        listening=list(facts.listening),
        reloads=Reloads(facts.reloads_succeeded, facts.reloads_failed),
        workers_wanted=facts.workers_wanted,
        workers_leaving=facts.workers_leaving,
        worker_exits=facts.worker_exits,
        workers=list(facts.workers),
        network=facts.network,
        counts=counts(snapshot),
        **facts.role.report,
    )


def counts(snapshot: Snapshot) -> Counts:
    """Return the workers' metrics by family; a family with a label is an object keyed by its
    values.

    A histogram shows as its count and sum; its buckets are in the exposition.
    """
    found: Counts = {}
    for name, meaning in MEANINGS.items():
        value: Counted
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
            family = found.setdefault(meaning.family, {})
            assert isinstance(family, dict)
            family[meaning.labels[0][1]] = value
        elif isinstance(value, dict):
            found[meaning.family] = dict(value)
        else:
            found[meaning.family] = value
    return found
