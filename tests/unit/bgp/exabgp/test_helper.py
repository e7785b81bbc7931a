"""A lease runs out by silence, and not by a machine on which nothing ran."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.exabgp.helper import MOST_TICK_S, Lease


def test_it_runs_out_by_silence() -> None:
    lease = Lease(3.0, 100.0)
    assert not lease.turn(100.25, heard=False)
    turns = [lease.turn(100.25 + number / 4, heard=False) for number in range(1, 12)]
    assert turns == [*[False] * 10, True]


def test_what_is_heard_begins_it_again() -> None:
    lease = Lease(1.0, 0.0)
    for number in range(1, 100):
        assert not lease.turn(number / 2, heard=number % 2 == 0)


def test_a_machine_that_stood_still_is_no_silence() -> None:
    lease = Lease(3.0, 0.0)
    assert not lease.turn(3600.0, heard=False)
    assert lease.silent_s == MOST_TICK_S
    assert not lease.hung


def test_without_one_nothing_runs_out() -> None:
    lease = Lease(0.0, 0.0)
    assert not any(lease.turn(float(number), heard=False) for number in range(1000))
    assert not lease.hung


@given(st.lists(st.floats(0.0, 10.0), max_size=50), st.floats(0.5, 10.0))
def test_never_before_its_time(passed: list[float], lease_s: float) -> None:
    lease, now_s = Lease(lease_s, 0.0), 0.0
    for one in passed:
        now_s += one
        if lease.turn(now_s, heard=False):
            assert now_s >= lease_s * (1 - 1e-9)
