"""Whether an origin fails so often that it is better left alone."""

from __future__ import annotations

import sys
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from headrace.upstream.outliers import Cause, OutlierRule, Window

RULE = OutlierRule()


def cause(key: int, client: int) -> Cause:
    return Cause(b"key-%d" % key, f"192.0.2.{client}")


def failing(causes: list[Cause | None], rule: OutlierRule = RULE, every_s: float = 0.0) -> bool:
    window = Window(rule)
    return any(window.failed(number * every_s, each) for number, each in enumerate(causes))


def test_one_client_cannot_eject_whatever_it_asks_for() -> None:
    assert not failing([cause(number, 1) for number in range(1000)])


def test_one_object_cannot_eject_whoever_asks_for_it() -> None:
    assert not failing([cause(1, number % 250) for number in range(1000)])


def test_several_of_both_eject() -> None:
    assert failing([cause(number % 3, number % 3) for number in range(5)])
    assert not failing([cause(number % 3, number % 3) for number in range(4)])


def test_what_no_request_can_have_caused_needs_no_one() -> None:
    assert failing([None] * 5)
    assert not failing([None] * 4)


def test_few_failures_among_many_requests_do_not_eject() -> None:
    window = Window(RULE)
    for number in range(1000):
        window.succeeded(number / 200)
        if number % 2:
            assert not window.failed(number / 200, cause(number, number % 250))


def test_failures_that_are_far_apart_do_not_eject() -> None:
    assert not failing([None] * 50, every_s=2.6)
    assert failing([None] * 50, every_s=2.4)
    assert not failing([cause(n, n % 250) for n in range(50)], every_s=2.6)


def test_paths_and_clients_must_be_of_the_window_too() -> None:
    window = Window(OutlierRule(failures=2))
    for number in range(3):
        window.failed(0.0, cause(number, number))
    assert not [window.failed(20.0 + n / 10, cause(0, 0)) for n in range(20)].count(True)


def test_never_by_a_rule_of_no_failures() -> None:
    assert not failing([None] * 100, OutlierRule(failures=0))


def test_a_rule_that_asks_for_no_clients_or_paths_takes_any() -> None:
    assert failing([cause(1, 1)] * 5, OutlierRule(paths=0, clients=0))
    assert failing([cause(1, 1)] * 5, OutlierRule(paths=1, clients=1))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.floats(0, 3)), max_size=80))
def test_only_two_clients_never_eject(steps: list[tuple[int, int, float]]) -> None:
    window = Window(OutlierRule(failures=1, share=0.01))
    now = 0.0
    for client, key, pause_s in steps:
        now += pause_s
        assert not window.failed(now, cause(key, client))


def test_it_does_not_grow() -> None:
    window = Window(OutlierRule(paths=100, clients=100, window_s=3600))
    long_key = "k" * 8000
    tracemalloc.start()
    try:
        for number in range(20_000):
            window.failed(number / 2, Cause(f"{number}{long_key}".encode(), f"client {number}"))
        held_bytes, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 64 * 1024
    assert sys.getsizeof(window) < 1024
