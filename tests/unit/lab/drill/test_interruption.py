"""How long new connections did not work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from headrace.lab.drill.interruption import Interruption, interruption
from headrace.lab.drill.records import Attempt, Outcome

EVERY_S = 0.01
SPENT_S = {"ok": 0.001, "refused": 0.0, "reset": 0.001, "timeout": 0.9, "refrained": 0.0}


def row(outcomes: Sequence[str]) -> list[Attempt]:
    return [
        Attempt("vip", EVERY_S * at, EVERY_S * at, EVERY_S * at + SPENT_S[one], one)
        for at, one in enumerate(cast(Sequence[Outcome], outcomes))
    ]


def rounded(found: Interruption) -> tuple[float, float]:
    assert found.works_again_s is not None
    assert found.lasted_s is not None
    return round(found.works_again_s, 6), round(found.lasted_s, 6)


def test_nothing_failed() -> None:
    assert interruption(row(["ok"] * 200), 0.5) == Interruption(0.0, 0.0)


def test_it_counts_from_the_event_to_the_first_of_the_lasting_row() -> None:
    attempts = row(["ok"] * 50 + ["refused"] * 30 + ["ok"] * 100)

    assert rounded(interruption(attempts, 0.5)) == (0.3, 0.3)


def test_it_may_begin_later_than_the_event() -> None:
    attempts = row(["ok"] * 80 + ["timeout"] * 20 + ["ok"] * 100)

    assert rounded(interruption(attempts, 0.5)) == (0.5, 0.2)


def test_what_was_open_at_the_event_is_lost_with_it() -> None:
    attempts = row(["ok"] * 49 + ["timeout"] + ["ok"] * 100)

    # It was begun before the event, so the loss counts from the event.
    assert rounded(interruption(attempts, 0.495)) == (0.005, 0.005)


def test_successes_that_were_open_at_the_event_do_not_come_before_it() -> None:
    attempts = [
        Attempt("vip", at, at, at + (0.9 if number == 1 else 0.1), "reset" if number == 1 else "ok")
        for number, at in enumerate(EVERY_S * each for each in range(100))
    ]

    assert rounded(interruption(attempts, 0.03)) == (0.0, 0.0)


def test_what_failed_and_ended_before_the_event_is_not_of_it() -> None:
    attempts = row(["reset"] + ["ok"] * 300)

    assert interruption(attempts, 1.5) == Interruption(0.0, 0.0)


def test_a_short_row_of_successes_does_not_last() -> None:
    attempts = row(["ok"] * 50 + ["refused"] * 10 + ["ok"] * 20 + ["refused"] * 10 + ["ok"] * 100)

    assert rounded(interruption(attempts, 0.5)) == (0.4, 0.4)


def test_what_fails_after_a_lasting_row_is_another_interruption() -> None:
    attempts = row(["refused"] * 10 + ["ok"] * 100 + ["refused"] * 10 + ["ok"] * 100)

    assert rounded(interruption(attempts, 0.0)) == (0.1, 0.1)


def test_it_never_works_again() -> None:
    assert interruption(row(["ok"] * 50 + ["timeout"] * 100), 0.5) == Interruption(None, None)


def test_a_few_successes_at_the_end_are_no_row() -> None:
    attempts = row(["timeout"] * 100 + ["ok"] * 3)

    assert interruption(attempts, 0.0) == Interruption(None, None)


def test_what_the_client_did_not_begin_says_nothing() -> None:
    attempts = row(["ok"] * 50 + ["refrained"] * 30 + ["ok"] * 100)

    assert interruption(attempts, 0.5) == Interruption(0.0, 0.0)


def test_the_healing_is_not_looked_at() -> None:
    attempts = row(["ok"] * 100 + ["reset"] * 10 + ["ok"] * 100)

    assert interruption(attempts, 0.1, until_s=0.99) == Interruption(0.0, 0.0)


@given(
    good=st.integers(0, 50),
    bad=st.integers(1, 300),
    every_ms=st.integers(5, 10),
)
def test_one_interruption_is_measured_to_the_interval(good: int, bad: int, every_ms: int) -> None:
    every_s = every_ms / 1000
    outcomes = cast(list[Outcome], ["ok"] * good + ["refused"] * bad + ["ok"] * 150)
    attempts = [
        Attempt("vip", every_s * at, every_s * at, every_s * at + 0.001, one)
        for at, one in enumerate(outcomes)
    ]

    found = interruption(attempts, 0.0)

    assert found.lasted_s is not None
    assert abs(found.lasted_s - bad * every_s) < 1e-6
    assert found.works_again_s is not None
    assert abs(found.works_again_s - (good + bad) * every_s) < 1e-6
