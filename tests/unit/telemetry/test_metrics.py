"""Counting: snapshots, sums over workers, and what outlives a worker."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry.metrics import (
    BOUNDS_S,
    MEANINGS,
    Histogram,
    HistogramSnapshot,
    Snapshot,
    WorkerMetrics,
    merge,
    retired,
)


def counted(**values: int) -> Snapshot:
    metrics = WorkerMetrics()
    for name, value in values.items():
        setattr(metrics, name, value)
    return metrics.snapshot()


def test_an_observation_falls_into_the_bucket_whose_bound_it_does_not_exceed() -> None:
    histogram = Histogram()
    histogram.observe(0.001)
    assert histogram.counts[BOUNDS_S.index(0.001)] == 1


def test_an_observation_over_every_bound_falls_into_the_last_bucket() -> None:
    histogram = Histogram()
    histogram.observe(1e9)
    assert histogram.counts[-1] == 1


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_a_histogram_counts_every_observation_once(seconds: list[float]) -> None:
    histogram = Histogram()
    for second in seconds:
        histogram.observe(second)
    assert sum(histogram.counts) == len(seconds)


def test_a_snapshot_does_not_change_when_the_worker_goes_on_counting() -> None:
    metrics = WorkerMetrics()
    metrics.timeouts["head"] = 1
    snapshot = metrics.snapshot()
    metrics.timeouts["head"] += 1
    metrics.hit_total.observe(0.1)
    assert snapshot.labelled["timeouts"] == {"head": 1}
    assert sum(snapshot.histograms["hit_total"].counts) == 0


def test_responses_are_labelled_by_status_class() -> None:
    metrics = WorkerMetrics()
    metrics.responses[404 // 100] += 1
    assert metrics.snapshot().labelled["responses"]["4xx"] == 1


def test_a_snapshot_holds_every_metric_that_has_a_meaning() -> None:
    snapshot = WorkerMetrics().snapshot()
    held = {*snapshot.counters, *snapshot.gauges, *snapshot.labelled, *snapshot.histograms}
    assert held == set(MEANINGS)


def test_a_snapshot_survives_the_way_over_the_channel() -> None:
    metrics = WorkerMetrics()
    metrics.requests_hit = 7
    metrics.origin_errors["connect"] = 2
    metrics.miss_first_byte.observe(0.2)
    snapshot = metrics.snapshot()
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot) == snapshot


def test_merging_adds_workers_together() -> None:
    one, two = WorkerMetrics(), WorkerMetrics()
    one.requests_hit, two.requests_hit = 3, 4
    one.connections_open, two.connections_open = 1, 1
    one.timeouts["idle"], two.timeouts["head"] = 5, 6
    one.hit_total.observe(0.1)
    two.hit_total.observe(0.2)
    total = merge([one.snapshot(), two.snapshot()])
    assert total.counters["requests_hit"] == 7
    assert total.gauges["connections_open"] == 2
    assert total.labelled["timeouts"] == {"idle": 5, "head": 6}
    assert sum(total.histograms["hit_total"].counts) == 2


def test_merging_nothing_gives_every_name_at_zero() -> None:
    assert merge([]) == WorkerMetrics().snapshot()


def test_merging_keeps_a_name_that_an_older_worker_still_counts() -> None:
    assert merge([Snapshot(counters={"gone": 2})]).counters["gone"] == 2


def test_merging_takes_a_histogram_of_another_shape_as_it_is() -> None:
    odd = HistogramSnapshot([1, 2], 3.0)
    assert merge([Snapshot(histograms={"hit_total": odd})]).histograms["hit_total"] == odd


@given(st.lists(st.integers(min_value=0, max_value=2**53), max_size=6))
def test_merging_is_a_sum(values: list[int]) -> None:
    total = merge(counted(bytes_sent=value) for value in values)
    assert total.counters["bytes_sent"] == sum(values)


def test_a_dead_workers_counters_stay_and_its_gauges_go() -> None:
    remains = merge([retired(counted(requests_miss=9, connections_open=4))])
    assert remains.counters["requests_miss"] == 9
    assert remains.gauges["connections_open"] == 0
