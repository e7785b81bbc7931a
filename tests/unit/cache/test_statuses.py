"""Which errors are stored, and how long: nobody may take a resource away from all others by
provoking an error under its URL.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.record import StoredFlag
from headrace.cache.reuse import Action, decide_reuse, may_serve_stale_on_error
from headrace.cache.rules import CacheRules
from headrace.cache.statuses import GUESSABLE, may_be_stored
from headrace.http.message import ResponseHead
from tests.unit.cache.values import (
    DAY_S,
    NOW,
    RULES,
    date,
    request,
    response,
    stored_from,
    storing,
)

DAY = "public, max-age=86400"
# What a request's form, its sender or something on the way can cause.
PROVOKED = [400, 401, 402, 403, 405, 406, 407, 408, 409, 411, 413, 414, 415, 417, 421, 422, 425,
            426, 428, 429, 431, 451, 499, 501, 505, 506, 508, 510, 511, 599]  # fmt: skip
OWN = [404, 410, 500, 502, 503, 504]
errors = st.integers(400, 999)


def kept_s(answer: ResponseHead, rules: CacheRules = RULES) -> float | None:
    """For how long from now it is stored, if it is."""
    decision = storing(answer, rules=rules)
    return decision.lifetime_s - decision.corrected_age_s if decision.store else None


@pytest.mark.parametrize("status", PROVOKED)
def test_an_error_that_a_request_may_have_caused_is_not_stored(status: int) -> None:
    assert storing(response(status, cache_control=DAY)).reason == b"status"


@pytest.mark.parametrize("status", PROVOKED)
def test_it_is_where_the_operator_lists_it(status: int) -> None:
    rules = CacheRules(negative_s={status: 3.0}, error_max_s=0.0)
    assert kept_s(response(status), rules) == 3
    assert kept_s(response(status, cache_control=DAY), rules) == 3


@pytest.mark.parametrize("status", OWN)
def test_an_error_of_the_resource_is_stored_for_no_more_than_the_cap(status: int) -> None:
    assert kept_s(response(status, cache_control=DAY)) == RULES.error_max_s
    assert kept_s(response(status, cache_control="max-age=3")) == 3


def test_an_old_error_is_kept_no_longer_than_a_new_one() -> None:
    assert kept_s(response(404, cache_control=DAY, age="5000")) == RULES.error_max_s


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_that_states_nothing_is_not_stored(status: int) -> None:
    assert storing(response(status, last_modified=date(-DAY_S))).reason == b"no-lifetime"


def test_a_longer_figure_of_the_operators_counts() -> None:
    rules = CacheRules(negative_s={404: 60.0})
    assert [kept_s(response(404), rules), kept_s(response(404, cache_control=DAY), rules)] == [
        60,
        60,
    ]


@pytest.mark.parametrize("status", [405, 414, 501, 404, 410])
def test_no_errors_lifetime_is_guessed(status: int) -> None:
    rules = CacheRules(negative_s={})
    assert not storing(response(status, last_modified=date(-DAY_S)), rules=rules).store


@pytest.mark.parametrize("status", sorted(GUESSABLE - {206}))
def test_what_the_book_lets_guess_is_guessed_below_400(status: int) -> None:
    assert kept_s(response(status, last_modified=date(-1000))) == 100


@pytest.mark.parametrize("status", [412, 416])
def test_listing_does_not_store_what_answers_a_condition_or_a_range(status: int) -> None:
    rules = CacheRules(negative_s={status: 9.0})
    assert storing(response(status, cache_control=DAY), rules=rules).reason == b"status"


@pytest.mark.parametrize("control", ["no-cache, max-age=60", "max-age=0"])
def test_an_error_that_would_need_validation_is_not_stored(control: str) -> None:
    assert not storing(response(404, cache_control=control, etag='"a"')).store


def test_an_error_is_never_served_stale() -> None:
    rules = CacheRules(stale_while_revalidate_s=900.0, stale_if_error_s=900.0)
    control = "max-age=5, stale-while-revalidate=900, stale-if-error=900"
    for answer in (response(404), response(404, cache_control=control)):
        stored = stored_from(answer, rules)
        asked = request(cache_control="max-stale")
        assert decide_reuse(request(), stored, rules, NOW + 30).action is Action.VALIDATE
        assert decide_reuse(asked, stored, rules, NOW + 30).action is Action.VALIDATE
        assert not may_serve_stale_on_error(stored, rules, request(), NOW + 30, unreachable=True)


def test_a_forced_or_a_default_lifetime_is_not_for_errors() -> None:
    rules = CacheRules(force_lifetime_s=900.0, default_lifetime_s=900.0)
    assert storing(response(403), rules=rules).reason == b"status"
    assert kept_s(response(404, cache_control=DAY), rules) == rules.error_max_s


@given(
    errors,
    st.floats(0, 1e6),
    st.dictionaries(errors, st.floats(0, 1e6), max_size=3),
    st.sampled_from(["", DAY, "s-maxage=99999999999", "immutable, max-age=900", "no-cache"]),
    st.sampled_from(["0", "50", "99999999"]),
)
def test_whatever_an_error_says_it_is_stored_by_the_rules_alone(
    status: int, most_s: float, listed: dict[int, float], control: str, age: str
) -> None:
    rules = CacheRules(error_max_s=most_s, negative_s=listed)
    decision = storing(response(status, cache_control=control, age=age, etag='"a"'), rules=rules)
    if decision.store:
        assert status in OWN or status in listed
        remaining_s = decision.lifetime_s - decision.corrected_age_s
        assert 0 < remaining_s <= max(most_s, listed.get(status, 0.0)) * 1.000001 + 1e-6
        assert decision.flags & StoredFlag.MUST_REVALIDATE


@given(st.integers(0, 199))
def test_what_is_not_final_is_never_stored(status: int) -> None:
    assert not may_be_stored(status, CacheRules(negative_s={status: 9.0}))
