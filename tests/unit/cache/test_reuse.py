"""Whether a stored response answers a request (RFC 9111 section 4, RFC 5861, RFC 8246)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.reuse import Action, decide_reuse, may_serve_stale_on_error
from headrace.cache.rules import CacheRules
from headrace.http.message import Request
from tests.unit.cache.values import (
    NOW,
    RULES,
    directive_like,
    field_values,
    fields,
    record,
    request,
    response,
    stored_from,
)

FRESH, VALIDATE, MISS = Action.FRESH, Action.VALIDATE, Action.MISS
BYPASS, TIMEOUT = Action.BYPASS, Action.GATEWAY_TIMEOUT
STALE = Action.STALE_WHILE_REVALIDATE


def at(age_s: float, stored: StoredResponse | None = None, control: str = "") -> Action:
    """What a request with this Cache-Control gets when what is stored is so old; it lives 60 s."""
    asked = request(cache_control=control) if control else request()
    return decide_reuse(asked, record() if stored is None else stored, RULES, NOW + age_s).action


def flagged(flag: StoredFlag, window_s: float = 0.0) -> StoredResponse:
    return record(
        flags=int(flag), stale_while_revalidate_s=window_s, stale_if_error_s=window_s
    )  # fmt: skip


# Plain requests.


def test_nothing_stored_is_a_miss() -> None:
    assert decide_reuse(request(), None, RULES, NOW).action is MISS


@pytest.mark.parametrize(("age_s", "action"), [(0, FRESH), (59, FRESH), (60, VALIDATE)])
def test_what_is_stored_is_used_until_it_is_stale(age_s: float, action: Action) -> None:
    assert at(age_s) is action


def test_the_decision_tells_age_and_time_left() -> None:
    found = decide_reuse(request(), record(corrected_age_s=10.0), RULES, NOW + 5)
    assert (found.age_s, found.remaining_s) == (15, 45)


def test_head_is_answered_by_a_stored_get() -> None:
    assert decide_reuse(request(b"HEAD"), record(), RULES, NOW).action is FRESH


def test_a_range_plays_no_part() -> None:
    assert decide_reuse(request(range="bytes=0-1"), record(), RULES, NOW).action is FRESH


def test_credentials_play_no_part_in_what_is_stored_for_all() -> None:
    assert decide_reuse(request(authorization="x"), record(), RULES, NOW).action is FRESH


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("asked", [request(authorization="x"), request(proxy_authorization="x")])
def test_a_stored_challenge_is_not_for_who_brings_credentials(status: int, asked: Request) -> None:
    challenge = record(status=status)
    assert decide_reuse(asked, challenge, RULES, NOW).action is BYPASS
    asked = replace(asked, headers=asked.headers.plus(fields(cache_control="only-if-cached")))
    assert decide_reuse(asked, challenge, RULES, NOW).action is TIMEOUT
    assert decide_reuse(request(), challenge, RULES, NOW).action is FRESH


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"FROBNICATE"])
def test_other_methods_bypass_the_cache(method: bytes) -> None:
    assert decide_reuse(request(method), record(), RULES, NOW).action is BYPASS


def test_no_cache_is_validated_though_fresh() -> None:
    assert at(0, flagged(StoredFlag.NO_CACHE, 1000)) is VALIDATE


# Stale while it is renewed (RFC 5861 section 3).


@pytest.mark.parametrize(
    ("age_s", "action"), [(59, FRESH), (60, STALE), (69, STALE), (70, VALIDATE)]
)
def test_a_window_lets_stale_content_be_served(age_s: float, action: Action) -> None:
    assert at(age_s, record(stale_while_revalidate_s=10.0)) is action


def test_must_revalidate_closes_the_window() -> None:
    assert at(65, flagged(StoredFlag.MUST_REVALIDATE, 10)) is VALIDATE


@pytest.mark.parametrize("control", ["max-age=100", "min-fresh=0", "no-cache"])
def test_a_request_that_asks_for_freshness_closes_the_window(control: str) -> None:
    assert at(65, record(stale_while_revalidate_s=10.0), control) is VALIDATE


def test_what_is_invalidated_is_validated() -> None:
    assert at(0, flagged(StoredFlag.INVALIDATED)) is VALIDATE


def test_what_is_invalidated_is_stale_from_then_on() -> None:
    assert at(0, flagged(StoredFlag.INVALIDATED, 10)) is STALE


def test_max_stale_does_not_bring_back_what_is_invalidated() -> None:
    assert at(0, flagged(StoredFlag.INVALIDATED), "max-stale") is VALIDATE


# What requests ask for (RFC 9111 section 5.2.1).

ASKED: list[tuple[str, float, Action]] = [
    ("no-cache", 0, VALIDATE),
    ("no-store", 0, BYPASS),
    ("max-age=0", 0, FRESH),
    ("max-age=0", 1, VALIDATE),
    ("max-age=10", 10, FRESH),
    ("max-age=10", 11, VALIDATE),
    ("max-age=x", 1, VALIDATE),
    ("max-age=1000", 61, VALIDATE),
    ("min-fresh=10", 50, FRESH),
    ("min-fresh=10", 51, VALIDATE),
    ("max-stale", 1000, FRESH),
    ("max-stale=10", 70, FRESH),
    ("max-stale=10", 71, VALIDATE),
    ("max-stale=x", 61, VALIDATE),
    ("max-age=10, max-stale=5", 15, FRESH),
    ("max-age=10, max-stale=5", 16, VALIDATE),
    ("max-age=10, max-stale", 1000, VALIDATE),
    ("only-if-cached", 0, FRESH),
    ("only-if-cached", 60, TIMEOUT),
    ("only-if-cached, max-stale", 60, FRESH),
    ("only-if-cached, no-cache", 0, TIMEOUT),
    ("only-if-cached, no-store", 0, FRESH),
    ("frobnicate", 0, FRESH),
]


@pytest.mark.parametrize(("control", "age_s", "action"), ASKED)
def test_a_request_has_its_wish(control: str, age_s: float, action: Action) -> None:
    assert at(age_s, control=control) is action


@pytest.mark.parametrize("control", ["only-if-cached", "only-if-cached, no-store"])
def test_only_if_cached_without_anything_stored_is_a_timeout(control: str) -> None:
    assert decide_reuse(request(cache_control=control), None, RULES, NOW).action is TIMEOUT


@pytest.mark.parametrize("flag", [StoredFlag.MUST_REVALIDATE, StoredFlag.NO_CACHE])
def test_max_stale_does_not_overrule_the_response(flag: StoredFlag) -> None:
    assert at(61, flagged(flag), "max-stale") is VALIDATE


def test_pragma_counts_without_cache_control() -> None:
    assert decide_reuse(request(pragma="No-Cache"), record(), RULES, NOW).action is VALIDATE


def test_pragma_does_not_count_beside_cache_control() -> None:
    asked = request(pragma="no-cache", cache_control="max-age=60")
    assert decide_reuse(asked, record(), RULES, NOW).action is FRESH


@pytest.mark.parametrize("control", ["no-cache", "no-store", "max-age=0", "min-fresh=999"])
def test_a_service_may_ignore_wishes(control: str) -> None:
    asked = request(cache_control=control, pragma="no-cache")
    rules = CacheRules(honour_request_directives=False)
    assert decide_reuse(asked, record(), rules, NOW + 1).action is FRESH


@pytest.mark.parametrize(
    ("control", "age_s", "action"),
    [("max-age=0", 30, FRESH), ("no-cache", 30, VALIDATE), ("max-age=0", 60, VALIDATE)],
)
def test_a_reload_asks_nothing_of_what_is_immutable_and_fresh(
    control: str, age_s: float, action: Action
) -> None:
    assert at(age_s, flagged(StoredFlag.IMMUTABLE), control) is action


# Cookies.


@pytest.mark.parametrize(
    ("cookie", "action"),
    [
        ("session=1", BYPASS), ("a=1; session=2", BYPASS), ("session", BYPASS),
        ("a=session", FRESH), ("sessions=1", FRESH), ("Session=1", FRESH), ("", FRESH),
    ],
)  # fmt: skip
def test_a_named_cookie_bypasses_the_cache(cookie: str, action: Action) -> None:
    rules = CacheRules(bypass_on_cookie=(b"session",))
    assert decide_reuse(request(cookie=cookie), record(), rules, NOW).action is action


def test_any_cookie_bypasses_the_cache_where_the_service_says_so() -> None:
    rules = CacheRules(cookie_in_request="bypass")
    assert decide_reuse(request(cookie="a=1"), record(), rules, NOW).action is BYPASS


def test_cookies_play_no_part_by_default() -> None:
    assert decide_reuse(request(cookie="a=1"), record(), RULES, NOW).action is FRESH


# When the origin fails (RFC 5861 section 4).


def on_error(stored: StoredResponse, age_s: float, control: str = "max-age=0") -> bool:
    return may_serve_stale_on_error(stored, RULES, request(cache_control=control), NOW + age_s)


@pytest.mark.parametrize(("age_s", "allowed"), [(0, True), (60, True), (69, True), (70, False)])
def test_a_window_lets_stale_content_hide_an_error(age_s: float, allowed: bool) -> None:
    assert on_error(record(stale_if_error_s=10.0), age_s) is allowed


@pytest.mark.parametrize(("age_s", "allowed"), [(59, True), (60, False)])
def test_without_a_window_only_fresh_content_does(age_s: float, allowed: bool) -> None:
    assert on_error(record(), age_s) is allowed


def test_a_request_may_open_the_window() -> None:
    assert on_error(record(), 65, "stale-if-error=10")


@pytest.mark.parametrize("flag", [StoredFlag.MUST_REVALIDATE, StoredFlag.NO_CACHE])
def test_a_response_may_forbid_hiding_errors(flag: StoredFlag) -> None:
    assert not on_error(flagged(flag, 1000), 61, "stale-if-error=1000")


@pytest.mark.parametrize(("window_s", "allowed"), [(0, False), (10, True)])
def test_what_is_invalidated_hides_an_error_only_within_a_window(
    window_s: float, allowed: bool
) -> None:
    assert on_error(flagged(StoredFlag.INVALIDATED, window_s), 0) is allowed


# When no origin can be reached (RFC 9111 section 4.2.4).


def cut_off(
    stored: StoredResponse, age_s: float, rules: CacheRules = RULES, control: str = "no-cache"
) -> bool:
    asked = request(cache_control=control)
    return may_serve_stale_on_error(stored, rules, asked, NOW + age_s, unreachable=True)


@pytest.mark.parametrize(("late_s", "allowed"), [(0, True), (59, True), (60, False)])
def test_stale_content_is_served_for_a_bounded_time(late_s: float, allowed: bool) -> None:
    assert cut_off(record(), 60 + late_s) is allowed
    assert on_error(record(), 60 + late_s) is False  # an origin that answers is another matter


@pytest.mark.parametrize("flag", [StoredFlag.MUST_REVALIDATE, StoredFlag.NO_CACHE])
def test_not_against_what_the_response_forbids(flag: StoredFlag) -> None:
    assert not cut_off(flagged(flag, 1000), 61)


@pytest.mark.parametrize(("late_s", "allowed"), [(4, True), (5, False)])
def test_what_the_response_says_itself_counts_alone(late_s: float, allowed: bool) -> None:
    stored = stored_from(response(cache_control="max-age=60, stale-if-error=5"))
    assert cut_off(stored, 60 + late_s) is allowed


def test_what_was_invalidated_needs_a_window_opened_on_purpose() -> None:
    assert not cut_off(flagged(StoredFlag.INVALIDATED), 0)
    assert cut_off(flagged(StoredFlag.INVALIDATED, 10), 0)


def test_a_service_may_turn_it_off() -> None:
    assert not cut_off(record(), 60, CacheRules(stale_if_unreachable_s=0.0))


# Properties.

records = st.builds(
    lambda age_s, lifetime_s, window_s, flags: record(
        corrected_age_s=age_s, lifetime_s=lifetime_s, stale_while_revalidate_s=window_s,
        stale_if_error_s=window_s, flags=flags,
    ),
    st.integers(0, 1000).map(float), st.integers(0, 1000).map(float),
    st.integers(0, 1000).map(float), st.integers(0, 127),
)  # fmt: skip
controls = st.one_of(directive_like, field_values)


@given(st.none() | records, controls, field_values, field_values)
def test_whatever_a_request_says_is_decided_without_an_error(
    stored: StoredResponse | None, control: bytes, pragma: bytes, cookie: bytes
) -> None:
    rules = CacheRules(bypass_on_cookie=(b"a",))
    asked = request(cache_control=control, pragma=pragma, cookie=cookie)
    found = decide_reuse(asked, stored, rules, NOW)
    assert (found.action in (FRESH, STALE, VALIDATE)) <= (stored is not None)


@given(records, st.integers(0, 5000))
def test_what_must_be_validated_is_never_served_stale(stored: StoredResponse, now_s: int) -> None:
    found = decide_reuse(request(), stored, RULES, NOW + now_s)
    bound = stored.flags & (StoredFlag.MUST_REVALIDATE | StoredFlag.NO_CACHE)
    if bound and found.remaining_s <= 0:
        assert found.action is VALIDATE


@given(records, controls, st.integers(0, 5000))
def test_only_max_stale_lets_a_request_have_what_a_plain_one_may_not(
    stored: StoredResponse, control: bytes, now_s: int
) -> None:
    plain = decide_reuse(request(), stored, RULES, NOW + now_s).action
    asked = decide_reuse(request(cache_control=control), stored, RULES, NOW + now_s).action
    assert not (asked is FRESH and plain is not FRESH)  # max-stale is not among the words


@given(records, st.integers(0, 5000), st.integers(0, 5000))
def test_what_was_validated_once_does_not_turn_fresh_by_waiting(
    stored: StoredResponse, one_s: int, other_s: int
) -> None:
    sooner, later = (
        decide_reuse(request(), stored, RULES, NOW + age_s).action
        for age_s in sorted((one_s, other_s))
    )
    order = [FRESH, STALE, VALIDATE]
    assert order.index(sooner) <= order.index(later)
