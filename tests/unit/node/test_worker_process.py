"""When a worker is started again, and how its end is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.node.worker_process import (
    LONGEST_RESTART_DELAY_S,
    STEADY_AFTER_S,
    exit_reason,
    quick_deaths_after,
    restart_delay_s,
)


def test_a_worker_that_lived_is_replaced_at_once() -> None:
    assert restart_delay_s(0) == 0.0


def test_a_crash_loop_waits_longer_each_time() -> None:
    assert [restart_delay_s(deaths) for deaths in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.8]


def test_only_a_death_soon_after_the_start_is_part_of_a_loop() -> None:
    assert quick_deaths_after(3, STEADY_AFTER_S - 0.1) == 4
    assert quick_deaths_after(3, STEADY_AFTER_S) == 0


@given(st.integers(min_value=0))
def test_a_worker_is_never_given_up(deaths: int) -> None:
    assert restart_delay_s(deaths) <= LONGEST_RESTART_DELAY_S


def test_an_end_is_reported_in_words() -> None:
    assert exit_reason(3) == "exit code 3"
    assert exit_reason(-9) == "signal SIGKILL"
    assert exit_reason(-250) == "signal 250"
