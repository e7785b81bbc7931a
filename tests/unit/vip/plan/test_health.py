"""What checks of a VIP come to, and how flaps are damped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.vip.plan.health import (
    HEALTH_RULES,
    Found,
    Health,
    HealthRules,
    Soundness,
    checked,
    verdict,
)

PASSED, IMPAIRED, DOUBTFUL, FAILED = Found
EACH_S = 0.5


def after(found: list[Found], health: Health | None = None, start: float = 1000.0) -> Health:
    """Return what is known after checks, one each half second."""
    known = health or Health()
    for number, one in enumerate(found):
        known = checked(known, one, one.value, start + number * EACH_S)
    return known


def test_at_the_start_and_after_a_failure_it_takes_some_checks() -> None:
    assert after([]).soundness is Soundness.UNKNOWN
    assert after([PASSED] * 2).soundness is Soundness.UNKNOWN
    assert after([PASSED] * 3).soundness is Soundness.SOUND
    assert after([*[PASSED] * 3, FAILED]).soundness is Soundness.FAILED
    assert after([*[PASSED] * 3, FAILED, PASSED, PASSED]).soundness is Soundness.FAILED
    assert after([*[PASSED] * 3, FAILED, PASSED, PASSED, PASSED]).soundness is Soundness.SOUND
    assert after([FAILED, PASSED, IMPAIRED, PASSED]).soundness is Soundness.SOUND
    assert after([FAILED, PASSED, PASSED, IMPAIRED]).soundness is Soundness.DEGRADED


def test_what_may_be_chance_counts_when_it_comes_again() -> None:
    assert after([*[PASSED] * 3, DOUBTFUL]).soundness is Soundness.SOUND
    assert after([*[PASSED] * 3, DOUBTFUL, DOUBTFUL]).soundness is Soundness.FAILED
    assert after([*[PASSED] * 3, DOUBTFUL, PASSED, DOUBTFUL]).soundness is Soundness.SOUND
    assert after([DOUBTFUL]).soundness is Soundness.FAILED


def test_what_is_impaired_is_degraded_after_a_while_and_sound_again_after_a_while() -> None:
    assert after([*[PASSED] * 3, IMPAIRED, IMPAIRED]).soundness is Soundness.SOUND
    assert after([*[PASSED] * 3, *[IMPAIRED] * 3]).soundness is Soundness.DEGRADED
    degraded = [*[PASSED] * 3, *[IMPAIRED] * 3]
    assert after([*degraded, PASSED, PASSED]).soundness is Soundness.DEGRADED
    assert after([*degraded, PASSED, PASSED, PASSED]).soundness is Soundness.SOUND


def test_old_checks_say_nothing_and_count_for_nothing() -> None:
    sound = after([PASSED] * 3)
    assert verdict(sound, 1001.0).soundness is Soundness.SOUND
    assert verdict(sound, 1001.0 + HEALTH_RULES.check_age_s + 0.1).soundness is Soundness.UNKNOWN
    assert verdict(sound, 900.0).soundness is Soundness.UNKNOWN  # the clock was set back
    assert after([PASSED], sound, start=1100.0).soundness is Soundness.UNKNOWN
    assert after([PASSED] * 3, sound, start=1100.0).soundness is Soundness.SOUND


def test_a_verdict_says_why_and_for_how_long() -> None:
    health = checked(after([PASSED] * 3), FAILED, "refused", 1010.0, HealthRules(check_age_s=60))
    found = verdict(health, 1012.0)
    assert (found.soundness, found.why, found.for_s) == (Soundness.FAILED, "refused", 2.0)


FLAP = [FAILED, PASSED, PASSED, PASSED]


@pytest.mark.parametrize(("apart_s", "is_damped"), [(15, True), (30, False)])
def test_it_matters_how_far_apart_three_failures_are(apart_s: int, is_damped: bool) -> None:
    health = Health()
    for second in range(2 * apart_s + 8):
        failed = second % apart_s == 3
        health = checked(health, FAILED if failed else PASSED, "", 1000.0 + second)
    assert verdict(health, 1000.0 + 2 * apart_s + 7).damped is is_damped


def test_the_third_failure_in_half_a_minute_damps() -> None:
    assert not verdict(after([*[PASSED] * 3, *FLAP * 2]), 1006.0).damped
    damped = after([*[PASSED] * 3, *FLAP * 3])
    assert verdict(damped, 1008.0).soundness is Soundness.SOUND
    assert verdict(damped, 1008.0).damped
    calm = after([PASSED] * 260, damped, start=1008.0)
    assert not verdict(calm, 1008.0 + 130).damped


@given(st.lists(st.sampled_from(Found), min_size=50, max_size=300))
def test_flapping_checks_do_not_flap_announcements_more_than_damping_allows(
    found: list[Found],
) -> None:
    """In any five minutes, a VIP is taken back as its own at most so often as its penalty lets it:
    twice, then once for each half-life that the penalty takes to fall from suppress to reuse."""
    health, serving, returns = Health(), False, 0
    for number, one in enumerate(found):
        now = 1000.0 + number * 1.0
        health = checked(health, one, "", now)
        said = verdict(health, now)
        now_serving = said.soundness is Soundness.SOUND and not said.damped
        returns += now_serving and not serving
        serving = now_serving if said.soundness is not Soundness.DEGRADED else serving
    assert returns <= 3 + len(found) / HEALTH_RULES.half_life_s


def test_a_constant_flapper_is_kept_back_for_most_of_the_time() -> None:
    health, serving = Health(), 0
    rounds = 600
    for number in range(rounds):
        now = 1000.0 + number
        health = checked(health, FLAP[number % 4], "", now)
        said = verdict(health, now)
        serving += said.soundness is Soundness.SOUND and not said.damped
    assert serving < 0.05 * rounds
