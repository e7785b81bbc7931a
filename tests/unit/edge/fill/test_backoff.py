from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.fill.backoff import LONGEST_PAUSE_S, Tries, pauses


@given(st.floats(0.0, 5.0))
def test_looks_are_quick_at_first_and_end_in_time(limit_s: float) -> None:
    found = list(pauses(limit_s))
    assert found[:2] == [0.0, 0.0]
    assert sum(found) <= limit_s + LONGEST_PAUSE_S
    assert found == sorted(found)


def test_tries_are_counted_until_something_comes() -> None:
    tries = Tries(2)
    assert [tries.take(), tries.take(), tries.take()] == [True, True, False]
    tries.progressed()
    assert tries.take()


def test_the_same_slice_twice_before_anything_came_is_a_retry() -> None:
    tries = Tries(5)
    found = []
    for number in (0, 1, 0, 1):
        assert tries.take(number)
        found.append(tries.again)
    assert found == [False, False, True, True]
    tries.progressed()
    assert (tries.take(0), tries.again) == (True, False)
    assert (tries.take(), tries.again) == (True, False)
