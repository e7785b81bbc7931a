"""Figures that the client's own lateness explains."""

from __future__ import annotations

from headrace.lab.drill.lateness import explained, lateness_s, own_timeouts
from headrace.lab.drill.records import Attempt, Outcome


def begun(planned_s: float, late_s: float = 0.0, outcome: Outcome = "ok") -> Attempt:
    ends_s = planned_s + late_s + (0.9 if outcome == "timeout" else 0.001)
    return Attempt("vip", planned_s, planned_s + late_s, ends_s, outcome)


def test_a_client_in_time_explains_nothing() -> None:
    attempts = [begun(at / 100, 0.002) for at in range(200)]

    assert explained(attempts, 0.5, 0.3, 4.0) is None


def test_a_client_that_stood_still_explains_a_short_interruption() -> None:
    attempts = [begun(at / 100, 0.2 if at == 60 else 0.0) for at in range(200)]

    assert explained(attempts, 0.5, 0.3, 4.0) == lateness_s(attempts, 0.0, 2.0)


def test_but_not_a_long_one() -> None:
    attempts = [begun(at / 100, 0.2 if at == 60 else 0.0) for at in range(400)]

    assert explained(attempts, 0.5, 2.5, 4.0) is None


def test_a_client_that_stood_still_at_the_event_may_have_missed_it() -> None:
    attempts = [begun(at / 100, 0.2 if at == 60 else 0.0) for at in range(200)]

    assert explained(attempts, 0.55, 0.0, 4.0) is not None
    assert explained(attempts, 0.95, 0.0, 4.0) is None
    # Nor does it matter once the lost is on its way back.
    assert explained(attempts, 0.1, 0.0, 0.5) is None


def test_nor_one_at_another_time() -> None:
    attempts = [begun(at / 100, 0.2 if at == 190 else 0.0) for at in range(200)]

    assert explained(attempts, 0.5, 0.3, 4.0) is None


def test_time_that_ran_out_while_the_client_stood_still_is_its_own() -> None:
    attempts = [begun(0.0), begun(0.1, outcome="timeout"), begun(0.2, 0.9), begun(0.3)]

    assert own_timeouts(attempts, 0.9) == {1}


def test_time_that_ran_out_otherwise_is_the_networks() -> None:
    attempts = [begun(0.0), begun(0.1, outcome="timeout"), begun(0.2), begun(2.0, 0.9)]

    assert own_timeouts(attempts, 0.9) == set()
