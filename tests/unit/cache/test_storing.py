"""What a shared cache stores, for how long, and what of it (RFC 9111 sections 3 and 5.2.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.record import StoredFlag
from headrace.cache.rules import CacheRules
from headrace.cache.storing import MOST_TAGS, decide_storing
from headrace.http.message import Field, Headers, ResponseHead
from tests.unit.cache.values import (
    DAY_S,
    NOW,
    RULES,
    date,
    directive_like,
    field_values,
    fields,
    request,
    response,
    storing,
)


def lifetime_s(answer: ResponseHead, rules: CacheRules = RULES) -> float | None:
    decision = storing(answer, rules=rules)
    return decision.lifetime_s if decision.store else None


def kept(answer: ResponseHead, rules: CacheRules = RULES) -> Headers:
    return Headers(storing(answer, rules=rules).headers)


# Whether it is stored.

REFUSED: dict[str, tuple[ResponseHead, bytes]] = {
    "no-store": (response(cache_control="no-store, max-age=60"), b"no-store"),
    "private": (response(cache_control="private, max-age=60"), b"private"),
    "private beside public": (response(cache_control="public, private, max-age=9"), b"private"),
    "no lifetime": (response(etag='"a"'), b"no-lifetime"),
    "Vary star": (response(cache_control="max-age=60", vary="*"), b"vary-star"),
    "a cookie": (response(cache_control="max-age=60", set_cookie="a=1"), b"set-cookie"),
    "no use": (response(cache_control="max-age=0"), b"stale-at-birth"),
    "no use, being no-cache": (response(cache_control="no-cache, max-age=9"), b"stale-at-birth"),
    "too old": (response(cache_control="max-age=60", age="60"), b"stale-at-birth"),
    "must-understand unknown": (
        response(299, cache_control="must-understand, max-age=60"),
        b"must-understand",
    ),
    "must-understand, no-store unknown": (
        response(299, cache_control="must-understand, no-store, max-age=60"),
        b"must-understand",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_response_is_refused_with_its_reason(case: str) -> None:
    answer, reason = REFUSED[case]
    decision = storing(answer)
    assert (decision.store, decision.reason) == (False, reason)


@pytest.mark.parametrize("status", [100, 103, 199, 206, 304, 412, 416])
def test_some_statuses_are_never_stored(status: int) -> None:
    assert storing(response(status, cache_control="public, max-age=60")).reason == b"status"


@pytest.mark.parametrize("status", [200, 201, 203, 204, 299, 300, 301, 302, 303, 307, 308, 399])
def test_any_other_status_below_400_with_a_lifetime_is_stored(status: int) -> None:
    assert lifetime_s(response(status, cache_control="max-age=60")) == 60


@pytest.mark.parametrize("method", [b"HEAD", b"POST", b"PUT", b"OPTIONS"])
def test_only_answers_to_get_are_stored(method: bytes) -> None:
    answer = response(cache_control="max-age=60")
    assert storing(answer, request(method)).reason == b"method"


def test_must_understand_lifts_no_store_where_the_status_is_understood() -> None:
    assert lifetime_s(response(cache_control="must-understand, no-store, max-age=60")) == 60


def test_must_understand_does_not_lift_private() -> None:
    answer = response(cache_control="must-understand, private, max-age=60")
    assert storing(answer).reason == b"private"


def test_what_is_stale_but_can_be_validated_is_stored() -> None:
    assert lifetime_s(response(cache_control="max-age=0", etag='"a"')) == 0


def test_what_may_be_served_stale_is_stored() -> None:
    assert lifetime_s(response(cache_control="max-age=0, stale-while-revalidate=9")) == 0


def test_no_cache_needs_no_lifetime_if_it_can_be_validated() -> None:
    decision = storing(response(cache_control="no-cache", etag='"a"'))
    assert (decision.store, decision.flags) == (True, StoredFlag.NO_CACHE)


# Requests.


def test_a_request_may_forbid_storing() -> None:
    asked = request(cache_control="no-store")
    assert storing(response(cache_control="max-age=60"), asked).reason == b"request-no-store"


def test_a_service_may_ignore_what_requests_forbid() -> None:
    rules = CacheRules(honour_request_directives=False)
    asked = request(cache_control="no-store")
    assert storing(response(cache_control="max-age=60"), asked, rules).store


@pytest.mark.parametrize(
    ("control", "stored"),
    [
        ("max-age=60", False),
        ("max-age=60, proxy-revalidate", False),
        ("max-age=60, public", True),
        ("max-age=60, must-revalidate", True),
        ("s-maxage=60", True),
    ],
)
def test_an_answer_to_credentials_is_stored_only_if_it_says_so(control: str, stored: bool) -> None:
    asked = request(authorization="Bearer x")
    assert storing(response(cache_control=control), asked).store is stored


def test_a_forced_lifetime_does_not_share_an_answer_to_credentials() -> None:
    rules = CacheRules(force_lifetime_s=60.0)
    decision = storing(response(cache_control="max-age=60"), request(authorization="x"), rules)
    assert decision.reason == b"authorization"


# For how long.

LIFETIMES: dict[str, tuple[ResponseHead, float]] = {
    "max-age": (response(cache_control="max-age=60"), 60),
    "s-maxage first": (response(cache_control="max-age=60, s-maxage=90"), 90),
    "max-age before Expires": (response(cache_control="max-age=60", expires=date(9)), 60),
    "Expires less Date": (response(expires=date(90), date=date(-10)), 100),
    "Expires without Date": (response(expires=date(90)), 90),
    "Expires in RFC 850 form": (response(expires="Tuesday, 14-Nov-23 22:14:20 GMT"), 60),
    "a tenth since Last-Modified": (
        response(last_modified=date(-1000), date=date()), 100,
    ),
    "a day at most": (response(last_modified=date(-1000 * DAY_S)), DAY_S),
    "public makes a 302 guessable": (
        response(302, last_modified=date(-1000), cache_control="public"), 100,
    ),
    "too large": (response(cache_control="max-age=99999999999"), 2**31),
}  # fmt: skip


@pytest.mark.parametrize("case", LIFETIMES)
def test_a_lifetime_is_found(case: str) -> None:
    answer, seconds = LIFETIMES[case]
    assert lifetime_s(answer) == seconds


STALE: dict[str, ResponseHead] = {
    "negative": response(cache_control="max-age=-60", etag='"a"'),
    "a fraction": response(cache_control="max-age=60.5", etag='"a"'),
    "an unreadable max-age before a good Expires": response(
        cache_control="max-age=x", expires=date(60), etag='"a"'
    ),
    "Expires 0": response(expires="0", etag='"a"'),
    "Expires -1": response(expires="-1", etag='"a"'),
    "Expires past": response(expires=date(-60), etag='"a"'),
    "Expires unreadable": response(expires="soon", etag='"a"'),
    "two Expires": ResponseHead(
        200, Headers([*fields(etag='"a"', expires=date(60)), *fields(expires=date(90))])
    ),
}


@pytest.mark.parametrize("case", STALE)
def test_an_invalid_lifetime_is_none(case: str) -> None:
    assert lifetime_s(STALE[case]) == 0


GUESSLESS = [
    response(302, last_modified=date(-1000)),
    response(last_modified=date(1000)),
    response(last_modified="yesterday"),
    response(500, last_modified=date(-1000)),
]


@pytest.mark.parametrize("answer", GUESSLESS)
def test_where_nothing_can_be_guessed_nothing_is_stored(answer: ResponseHead) -> None:
    assert storing(answer).reason == b"no-lifetime"


def test_a_guess_is_marked_as_one() -> None:
    assert storing(response(last_modified=date(-1000))).flags == StoredFlag.HEURISTIC


def test_a_default_lifetime_fills_the_gap() -> None:
    assert lifetime_s(response(), CacheRules(default_lifetime_s=30.0)) == 30


def test_a_default_lifetime_is_not_for_errors() -> None:
    assert lifetime_s(response(500), CacheRules(default_lifetime_s=30.0)) is None


@pytest.mark.parametrize(("status", "seconds"), [(404, 1.0), (410, 10.0), (403, None), (500, None)])
def test_an_error_that_states_no_lifetime_has_the_rules(status: int, seconds: float | None) -> None:
    assert lifetime_s(response(status)) == seconds


def test_an_error_stored_by_a_rule_is_marked_as_such() -> None:
    assert storing(response(404)).flags & StoredFlag.NEGATIVE


FORCED = CacheRules(force_lifetime_s=600.0)


def test_a_forced_lifetime_counts_from_now_and_leaves_age_true() -> None:
    decision = storing(response(cache_control="max-age=60", age="50"), rules=FORCED)
    assert (decision.lifetime_s - decision.corrected_age_s, decision.corrected_age_s) == (600, 50)


@pytest.mark.parametrize("control", ["no-store", "private"])
def test_a_forced_lifetime_stores_nothing_that_may_not_be(control: str) -> None:
    assert not storing(response(cache_control=control), rules=FORCED).store


def test_a_forced_lifetime_is_not_for_errors() -> None:
    decision = storing(response(404, cache_control="max-age=55", age="50"), rules=FORCED)
    assert (decision.lifetime_s, decision.corrected_age_s) == (55, 50)


# Stale windows and flags.


def test_windows_come_from_the_response() -> None:
    answer = response(cache_control="max-age=1, stale-while-revalidate=2, stale-if-error=3")
    rules = CacheRules(stale_while_revalidate_s=90.0, stale_if_error_s=90.0)
    decision = storing(answer, rules=rules)
    assert (decision.stale_while_revalidate_s, decision.stale_if_error_s) == (2, 3)


def test_windows_come_from_the_rules_where_the_response_is_silent() -> None:
    rules = CacheRules(stale_while_revalidate_s=4.0, stale_if_error_s=5.0)
    decision = storing(response(cache_control="max-age=1"), rules=rules)
    assert (decision.stale_while_revalidate_s, decision.stale_if_error_s) == (4, 5)


@pytest.mark.parametrize(
    ("directive", "flag"),
    [
        ("must-revalidate", StoredFlag.MUST_REVALIDATE),
        ("proxy-revalidate", StoredFlag.MUST_REVALIDATE),
        ("s-maxage=60", StoredFlag.MUST_REVALIDATE),
        ("immutable", StoredFlag.IMMUTABLE),
        ("public", StoredFlag.NONE),
    ],
)
def test_a_directive_sets_its_flag(directive: str, flag: StoredFlag) -> None:
    assert storing(response(cache_control=f"max-age=60, {directive}")).flags == flag


# Targeted fields (RFC 9213).


def test_a_targeted_field_replaces_cache_control() -> None:
    answer = response(cdn_cache_control="max-age=60", cache_control="no-store")
    assert lifetime_s(answer) == 60


def test_a_targeted_field_replaces_expires() -> None:
    answer = response(cdn_cache_control="public", expires=date(60))
    assert storing(answer).reason == b"no-lifetime"


def test_the_first_configured_field_wins() -> None:
    answer = response(cdn_cache_control="max-age=60", headrace_cache_control="max-age=90")
    assert lifetime_s(answer) == 90


@pytest.mark.parametrize("value", ["", "max-age=", "Max-Age=60", "max-age=60;;"])
def test_an_invalid_targeted_field_counts_as_absent(value: str) -> None:
    answer = response(headrace_cache_control=value, cdn_cache_control="max-age=60")
    assert lifetime_s(answer) == 60


def test_a_targeted_field_that_is_not_configured_says_nothing() -> None:
    answer = response(cdn_cache_control="no-store", cache_control="max-age=60")
    assert lifetime_s(answer, CacheRules(targeted=())) == 60


# What of it is kept.

HOP = fields(
    connection="X-Hop, keep-alive", x_hop="1", keep_alive="1", transfer_encoding="chunked",
    upgrade="x", trailer="x", age="1", content_length="5", proxy_connection="x",
    headrace_cache_control="max-age=60",
)  # fmt: skip


def test_what_is_of_the_connection_is_not_kept() -> None:
    answer = ResponseHead(200, Headers([*HOP, *fields(x="1", date=date())]))
    assert kept(answer).fields == fields(x="1", date=date())


def test_a_field_meant_for_all_caches_is_kept() -> None:
    assert b"cdn-cache-control" in kept(response(cdn_cache_control="max-age=60"))


def test_fields_that_no_cache_and_private_name_are_not_kept() -> None:
    control = 'max-age=60, no-cache="X-A", private="X-B"'
    found = kept(response(cache_control=control, x_a="1", x_b="2", x_c="3"))
    assert [name in found for name in (b"x-a", b"x-b", b"x-c")] == [False, False, True]


def test_a_cookie_that_no_cache_names_does_not_hinder_storing() -> None:
    answer = response(cache_control='max-age=60, no-cache="Set-Cookie"', set_cookie="a=1")
    assert (storing(answer).store, b"set-cookie" in kept(answer)) == (True, False)


def test_a_cookie_is_never_kept() -> None:
    rules = CacheRules(store_set_cookie=True)
    answer = response(cache_control="max-age=60", set_cookie="a=1")
    assert (storing(answer, rules=rules).store, b"set-cookie" in kept(answer, rules)) == (
        True, False,
    )  # fmt: skip


def test_a_date_is_added_where_none_came() -> None:
    assert kept(response(cache_control="max-age=60")).get(b"date") == date()


def test_names_in_vary_are_handed_on() -> None:
    assert storing(response(cache_control="max-age=60", vary="B, a")).vary == (b"a", b"b")


def test_tags_come_from_both_fields_once_each() -> None:
    answer = response(cache_control="max-age=60", surrogate_key="a b a", cache_tag="b, c d")
    assert storing(answer).tags == (b"a", b"b", b"c d")


def test_tags_are_bounded() -> None:
    answer = response(
        cache_control="max-age=60", surrogate_key=b" ".join(b"%d" % i for i in range(999))
    )
    assert len(storing(answer).tags) == MOST_TAGS


# Properties.

names = st.sampled_from(
    [
        b"cache-control", b"cdn-cache-control", b"expires", b"date", b"age", b"vary", b"connection",
        b"last-modified", b"etag", b"set-cookie", b"surrogate-key", b"content-length",
    ]
)  # fmt: skip
some_fields: st.SearchStrategy[list[Field]] = st.lists(
    st.tuples(names, field_values | directive_like | st.sampled_from([date(), b"max-age=9"])),
    max_size=6,
)  # fmt: skip


@given(some_fields, some_fields, st.sampled_from([200, 206, 299, 302, 304, 404, 500]))
def test_whatever_comes_is_decided_without_an_error(
    asked: list[Field], answered: list[Field], status: int
) -> None:
    decision = storing(
        ResponseHead(status, Headers(answered)),
        request(**{name.decode().replace("-", "_"): value for name, value in asked}),
    )
    assert decision.store or decision.reason
    assert decision.corrected_age_s >= 0


@given(some_fields, st.sampled_from([b"no-store", b"private"]), st.sampled_from([200, 404, 301]))
def test_what_forbids_storing_is_never_stored(
    answered: list[Field], directive: bytes, status: int
) -> None:
    cleaned = [
        (name, value.replace(b'"', b"")) for name, value in answered if name != b"cdn-cache-control"
    ]
    headers = Headers([*cleaned, (b"cache-control", directive)])
    assert not storing(ResponseHead(status, headers)).store


@given(some_fields, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_slower_origin_never_makes_a_response_younger(
    answered: list[Field], one_s: float, more_s: float
) -> None:
    answer = ResponseHead(200, Headers([*answered, (b"etag", b'"a"')]))
    ages = [
        decide_storing(
            request(), answer, RULES, request_time=NOW - delay_s, response_time=NOW
        )
        for delay_s in (one_s, one_s + more_s)
    ]  # fmt: skip
    assert not (ages[0].store and ages[1].store) or (
        ages[0].corrected_age_s <= ages[1].corrected_age_s
    )


def test_an_answer_to_a_cookie_is_stored_only_with_a_stated_lifetime() -> None:
    asked = request(cookie="session=1")
    guessed = response(last_modified="Sun, 06 Nov 1994 08:49:37 GMT")
    stated = response(cache_control="max-age=60")
    assert (storing(guessed, asked).reason, storing(stated, asked).store) == (b"cookie", True)
