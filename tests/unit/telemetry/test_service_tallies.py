"""Counts by service: bounded, and never going back over reloads."""

from __future__ import annotations

from headrace.telemetry.metrics import WorkerMetrics
from headrace.telemetry.service_tallies import ServiceTallies


def test_services_beyond_the_limit_are_counted_together() -> None:
    metrics = WorkerMetrics()
    planned = metrics.services.plan([f"s{number}" for number in range(1000)], 2)
    metrics.services.adopt(planned)
    for tally in planned.values():
        tally.requests += 1
    assert metrics.snapshot().labelled["service_requests"] == {"s0": 1, "s1": 1, "other": 998}


def test_a_service_goes_on_with_its_counts_under_another_configuration() -> None:
    tallies = ServiceTallies()
    first = tallies.plan(["a", "b"], 10)
    tallies.adopt(first)
    first["a"].hits += 1
    second = tallies.plan(["c", "a"], 10)
    first["a"].hits += 1  # by what still runs, before the switch and after it
    tallies.adopt(second)
    first["a"].hits += 1
    second["a"].hits += 1
    assert tallies.counts("hits") == {"a": 4}


def test_a_configuration_that_is_refused_changes_nothing() -> None:
    tallies = ServiceTallies()
    tallies.adopt(tallies.plan(["a"], 1))
    tallies.plan(["b"], 1)
    tallies.of("a").errors += 1
    assert tallies.counts("errors") == {"a": 1}
    assert tallies.of("b") is tallies.other
