"""Waits grow while something fails, and start over when it was well for a while."""

from __future__ import annotations

from headrace.bgp.backoff import FIRST_S, MOST_S, STEADY_S, Backoff


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
