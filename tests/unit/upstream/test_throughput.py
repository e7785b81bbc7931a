"""Bodies that come too slowly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.upstream.throughput import RateWatch


def test_a_body_at_the_rate_is_fast_enough() -> None:
    watch = RateWatch(1000, 2.0)
    assert not any(watch.too_slow(0.1, 100) for _ in range(100))


def test_a_trickle_is_noticed_after_the_window_and_a_tenth() -> None:
    watch = RateWatch(1000, 2.0)
    waited = 0.0
    while not watch.too_slow(0.05, 1):
        waited += 0.05
    assert 1.8 <= waited <= 2.2


def test_a_rate_that_falls_is_noticed_a_window_later() -> None:
    watch = RateWatch(1000, 2.0)
    for _ in range(100):
        assert not watch.too_slow(0.05, 50)
    waited = 0.0
    while not watch.too_slow(0.05, 1):
        waited += 0.05
    assert waited <= 2.2


@given(st.lists(st.floats(0.001, 0.5), max_size=200))
def test_whoever_keeps_the_rate_is_never_blamed(waits: list[float]) -> None:
    watch = RateWatch(1000, 1.0)
    assert not any(watch.too_slow(wait, int(wait * 1000) + 1) for wait in waits)
