"""Newcomers in memory first: what counts as hit, and what is written."""

from __future__ import annotations

from bench.eviction.newcomers import Store, played
from bench.eviction.traces import Scale, make_trace


def test_without_a_ring_every_newcomer_is_written() -> None:
    store = Store(100, None)
    assert [store.request(entry, 10) for entry in (1, 2, 1)] == [False, False, True]
    assert store.written_bytes == 20


def test_what_is_asked_for_again_in_the_ring_is_a_hit_and_written_once() -> None:
    store = Store(100, 20)
    assert [store.request(entry, 10) for entry in (1, 2, 1, 1)] == [False, False, True, True]
    assert store.written_bytes == 10


def test_what_left_the_ring_unasked_is_a_miss_and_written_when_it_comes_again() -> None:
    store = Store(100, 10)
    assert [store.request(entry, 10) for entry in (1, 2)] == [False, False]
    assert store.written_bytes == 0
    assert [store.request(1, 10), store.request(1, 10)] == [False, True]
    assert store.written_bytes == 10


def test_the_disk_holds_no_more_than_it_may_and_a_trace_has_the_same_outcome_each_time() -> None:
    store = Store(30, 0)
    for entry in range(5):
        assert [store.request(entry, 10) for _ in range(3)] == [False, False, True]
    assert store.written_bytes == 50
    assert [store.request(entry, 10) for entry in range(5)].count(True) == 3
    trace = make_trace("Zipf 0.9", seed=1, scale=Scale(2_000, 200), mixed_sizes=False)
    capacity_bytes = trace.footprint_bytes // 5
    every, ring = Store(capacity_bytes, None), Store(capacity_bytes, capacity_bytes // 50)
    outcome = played(trace, ring)
    assert outcome == played(trace, Store(capacity_bytes, capacity_bytes // 50))
    assert outcome.written < played(trace, every).written
