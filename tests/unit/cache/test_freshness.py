"""Age and freshness (RFC 9111 section 4.2)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.freshness import (
    age_and_ttl_s,
    age_field_s,
    corrected_initial_age_s,
    current_age_s,
    hot_until,
    remaining_s,
)
from headrace.cache.record import StoredFlag
from headrace.cache.reuse import Action, decide_reuse
from headrace.http.message import Headers
from tests.unit.cache.values import NOW, RULES, date, field_values, fields, record, request


@pytest.mark.parametrize(
    ("value", "age_s"),
    [
        ("0", 0), ("7", 7), ("007", 7), ("7, 9", 7), ("-7", 0), ("7.5", 0), ("a", 0), ("", 0),
        ("2147483649", 2**31), ("9" * 100, 2**31), ("0" * 40 + "7", 7), (", 7", 7), ("0, 7200", 0),
    ],
)  # fmt: skip
def test_the_age_field_is_read(value: str, age_s: float) -> None:
    assert age_field_s(Headers(fields(age=value))) == age_s


def initial_age_s(*, took_s: float = 0.0, came_s: float = 0.0, **named: str | bytes) -> float:
    """The age of a response with these fields that came `came_s` after NOW."""
    came = NOW + came_s
    return corrected_initial_age_s(
        Headers(fields(**named)), request_time=came - took_s, response_time=came
    )


def test_without_any_word_a_response_is_new() -> None:
    assert initial_age_s() == 0


def test_the_time_of_the_exchange_counts() -> None:
    assert initial_age_s(took_s=4, age="10") == 14


def test_an_old_date_makes_old() -> None:
    assert initial_age_s(date=date(-30), age="10") == 30


def test_an_age_above_the_dates_counts() -> None:
    assert initial_age_s(date=date(-30), age="40") == 40


@pytest.mark.parametrize("stated", [date(30), b"yesterday"])
def test_a_date_of_no_use_does_not_count(stated: bytes) -> None:
    assert initial_age_s(date=stated) == 0


def test_a_response_made_in_this_very_second_is_new() -> None:
    assert initial_age_s(came_s=0.9, date=date()) == 0


def test_a_clock_set_back_during_the_exchange_does_no_harm() -> None:
    assert initial_age_s(took_s=-5, age="10") == 10


def test_age_goes_on_in_the_store() -> None:
    assert current_age_s(record(corrected_age_s=10.0), NOW + 5) == 15


def test_what_is_as_old_as_its_lifetime_is_stale() -> None:
    assert remaining_s(record(lifetime_s=60.0), NOW + 60) <= 0


moments = st.floats(min_value=NOW - 1e9, max_value=NOW + 1e9)


@given(st.floats(0, 1e9), moments)
def test_age_is_never_negative(age_s: float, now: float) -> None:
    assert current_age_s(record(corrected_age_s=age_s), now) >= 0


@given(st.floats(0, 1e9), moments, moments)
def test_age_never_falls_as_time_goes_on(age_s: float, one: float, other: float) -> None:
    stored = record(corrected_age_s=age_s)
    assert current_age_s(stored, min(one, other)) <= current_age_s(stored, max(one, other))


@given(st.floats(0, 1e9), st.floats(0, 1e9), moments)
def test_age_and_ttl_are_stated_in_whole_seconds(
    age_s: float, lifetime_s: float, now: float
) -> None:
    stored = record(corrected_age_s=age_s, lifetime_s=lifetime_s)
    stated = int(current_age_s(stored, now)), int(remaining_s(stored, now))
    assert age_and_ttl_s(stored, now) == stated
    assert stated[0] >= 0


@given(field_values, field_values, moments, moments)
def test_the_first_age_is_never_negative(
    stated: bytes, age: bytes, asked: float, came: float
) -> None:
    headers = Headers(fields(date=stated, age=age))
    assert corrected_initial_age_s(headers, request_time=asked, response_time=came) >= 0


# What hits may remember.


@pytest.mark.parametrize("flag", [StoredFlag.NO_CACHE, StoredFlag.INVALIDATED])
def test_what_needs_a_decision_each_time_is_never_hot(flag: StoredFlag) -> None:
    assert hot_until(record(flags=int(flag)), RULES) == -math.inf


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 63), st.integers(-(10**6), 10**6)
)  # fmt: skip
def test_what_is_hot_is_fresh_to_any_plain_request(
    age_s: int, lifetime_s: int, flags: int, later_s: int
) -> None:
    """Also when the clock was set back since."""
    stored = record(corrected_age_s=float(age_s), lifetime_s=float(lifetime_s), flags=flags)
    now = NOW + later_s
    fresh = decide_reuse(request(), stored, RULES, now).action is Action.FRESH
    assert fresh == (now < hot_until(stored, RULES))
