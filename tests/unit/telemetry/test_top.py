"""Rates from two looks."""

from __future__ import annotations

from headrace.telemetry.metrics import WorkerMetrics
from headrace.telemetry.top import OriginRates, between


def test_rates_ratio_and_slowest_origins() -> None:
    metrics = WorkerMetrics()
    metrics.origin_requests["vod/p/gone"] = 5
    before = metrics.snapshot()
    metrics.requests_hit += 30
    metrics.requests_miss += 10
    metrics.bytes_sent += 4000
    metrics.responses[2] += 40
    metrics.not_stored["no-store"] += 2
    metrics.origin_requests.update({"vod/p/a": 4, "vod/p/b": 2})
    metrics.origin_failures["vod/p/b"] += 2
    metrics.origin_wait.update({"vod/p/a": 40_000, "vod/p/b": 1_000_000})
    found = between(before, metrics.snapshot(), 2.0)
    assert (found.requests_per_s, found.hit_ratio, found.sent_bytes_per_s) == (
        20.0, 0.75, 2000,
    )  # fmt: skip
    assert found.cache_per_s == {"hit": 15.0, "miss": 5.0}
    assert found.status_per_s == {"2xx": 20.0}
    assert found.not_stored_per_s == {"no-store": 1.0}
    assert found.origins == [
        OriginRates("vod/p/b", requests_per_s=1.0, failures_per_s=1.0, wait_s=0.5),
        OriginRates("vod/p/a", requests_per_s=2.0, failures_per_s=0.0, wait_s=0.01),
    ]


def test_without_requests_there_is_no_ratio() -> None:
    snapshot = WorkerMetrics().snapshot()
    assert between(snapshot, snapshot, 0.0).hit_ratio is None
