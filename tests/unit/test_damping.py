"""Penalties of flaps, by themselves."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace.damping import Flaps, ceiling, decayed, flapped, unflapped
from headrace.feedback.control.memory import Memory, decode_memory, encode_memory
from headrace.feedback.states.model import ServerRecord, States
from tests.unit.feedback.networks import RULES


def test_half_is_forgotten_in_each_half_life() -> None:
    assert decayed(Flaps(1000.0), RULES.half_life_s, RULES).penalty == 500.0
    assert decayed(Flaps(1000.0), 3 * RULES.half_life_s, RULES).penalty == 125.0
    assert decayed(Flaps(1.5), 2 * RULES.half_life_s, RULES) == Flaps()


def test_it_is_suppressed_above_one_threshold_until_below_another() -> None:
    flaps = Flaps()
    for _flap in range(2):
        flaps = flapped(flaps, RULES)
    assert not flaps.suppressed
    flaps = flapped(flaps, RULES)
    assert flaps == Flaps(3000.0, True)
    assert decayed(flaps, 1.9 * RULES.half_life_s, RULES).suppressed
    assert not decayed(flaps, 2.1 * RULES.half_life_s, RULES).suppressed
    assert not decayed(Flaps(2000.0), 1.0, RULES).suppressed


@given(st.integers(1, 200), st.floats(60.0, 7200.0), st.floats(30.0, 3600.0))
def test_nothing_is_suppressed_for_longer_than_the_longest_time(
    count: int, longest_s: float, half_life_s: float
) -> None:
    rules = replace(RULES, longest_suppress_s=longest_s, half_life_s=half_life_s)
    flaps = Flaps()
    for _flap in range(count):
        flaps = flapped(flaps, rules)
    assert flaps.penalty <= ceiling(rules)
    assert not decayed(flaps, longest_s * 1.001, rules).suppressed
    assert flaps.suppressed or count * rules.flap_penalty <= min(rules.suppress, ceiling(rules))


def test_a_penalty_from_elsewhere_is_bounded_too() -> None:
    assert decayed(Flaps(1e9, True), 0.0, RULES).penalty == ceiling(RULES)


def test_a_failure_that_was_none_is_taken_back() -> None:
    before = Flaps(2000.0)
    assert unflapped(flapped(before, RULES), RULES).penalty == before.penalty
    assert unflapped(Flaps(500.0), RULES) == Flaps()


def test_what_any_number_of_flaps_left_fits_into_a_memory() -> None:
    rules = replace(
        RULES, flap_penalty=1e6, reuse=7e5, suppress=1e6, half_life_s=86_400.0,
        longest_suppress_s=7 * 86_400.0,
    )  # fmt: skip
    for extreme in (rules, replace(rules, half_life_s=1.0, longest_suppress_s=86_400.0)):
        flaps = Flaps()
        for _flap in range(2000):
            flaps = flapped(flaps, extreme)
        memory = Memory(states=States({"s0a0": ServerRecord(penalty=flaps.penalty)}))
        assert decode_memory(encode_memory(memory)) == memory
