"""Waits grow while something fails, and start over when it was well for a while."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.backoff import FIRST_S, MOST_S, SOUND_S, STEADY_S, Backoff

SECONDS = st.floats(0.0, 100.0)


def test_waits_double_up_to_the_most() -> None:
    backoff = Backoff()
    waits = [backoff.failed(float(second)) for second in range(10)]
    assert waits[:3] == [FIRST_S, FIRST_S * 2, FIRST_S * 4]
    assert waits[-1] == MOST_S


def test_what_was_well_for_a_while_starts_over() -> None:
    backoff = Backoff()
    backoff.failed(0.0)
    assert backoff.failed(STEADY_S) == FIRST_S * 2
    assert backoff.failed(STEADY_S * 2 + 1) == FIRST_S


def test_what_is_killed_again_and_again_while_it_works_is_back_at_once_each_time() -> None:
    backoff, now = Backoff(), 0.0
    for _kill in range(10):
        wait = backoff.failed(now, now - SOUND_S)
        assert wait == FIRST_S
        now += wait + SOUND_S


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=2, max_size=30))
def test_what_fails_soon_after_each_start_is_started_ever_less_often(
    runs: list[tuple[float, float]],
) -> None:
    """Each run has a time until it does its work, and a time in which it does."""
    backoff, now, waits = Backoff(), 0.0, []
    sound = []
    for idle, works in runs:
        now += idle + works
        waits.append(backoff.failed(now, now - works))
        sound.append(works)
        now += waits[-1]
    for (before, after), worked, (idle, _works) in zip(
        pairwise(waits), sound[1:], runs[1:], strict=True
    ):
        if worked >= SOUND_S:
            assert after == FIRST_S
        elif before + idle + worked < STEADY_S:
            assert after == min(MOST_S, before * 2)
    assert all(FIRST_S <= wait <= MOST_S for wait in waits)
