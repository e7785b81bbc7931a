"""Validating, and what a 304 or a HEAD changes (RFC 9111 sections 3.2, 4.3.4 and 4.3.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.reuse import Action, decide_reuse
from headrace.cache.rules import CacheRules
from headrace.cache.validation import (
    freshened,
    head_update,
    validation_fields,
)
from headrace.http.message import Headers, Request, ResponseHead
from tests.unit.cache.values import (
    NOW,
    RULES,
    date,
    directive_like,
    field_values,
    fields,
    record,
    request,
    response,
    stored_from,
)

LATER_S = 100.0


def tagged(**named: str | bytes) -> StoredResponse:
    """The record of a response with these fields and an entity tag, made at NOW."""
    headers = Headers(fields(etag='"a"', date=date(), **named))
    return stored_from(ResponseHead(200, headers))


def after(
    stored: StoredResponse,
    answer: ResponseHead,
    asked: Request | None = None,
    rules: CacheRules = RULES,
) -> StoredResponse:
    """The record after an answer that came LATER_S after NOW."""
    return freshened(
        stored, answer, rules, request() if asked is None else asked,
        request_time=NOW + LATER_S, response_time=NOW + LATER_S,
    )  # fmt: skip


def field(stored: StoredResponse, name: bytes) -> bytes | None:
    return Headers(stored.headers).get(name)


def is_fresh(stored: StoredResponse) -> bool:
    return decide_reuse(request(), stored, RULES, NOW + LATER_S).action is Action.FRESH


# Asking.


def test_both_validators_are_sent() -> None:
    stored = record(headers=fields(etag='W/"a"', last_modified=date(-9), x="1"))
    assert validation_fields(stored) == fields(if_none_match='W/"a"', if_modified_since=date(-9))


def test_without_a_validator_there_is_no_condition() -> None:
    assert validation_fields(record(headers=fields(x="1"))) == ()


# A 304 renews.


def test_a_304_makes_fresh_again() -> None:
    assert is_fresh(after(tagged(cache_control="max-age=60"), response(304, date=date(LATER_S))))


def test_a_304_without_a_date_makes_fresh_again() -> None:
    assert is_fresh(after(tagged(cache_control="max-age=60"), response(304)))


def test_a_304_replaces_the_fields_it_has_and_leaves_the_others() -> None:
    stored = tagged(cache_control="max-age=60", x_a="1", x_b="2")
    renewed = after(stored, response(304, x_a="3", x_c="4"))
    assert [field(renewed, name) for name in (b"x-a", b"x-b", b"x-c")] == [b"3", b"2", b"4"]


def test_all_lines_of_a_field_are_replaced() -> None:
    stored = record(headers=(*fields(etag='"a"'), *fields(x="1"), *fields(x="2")))
    assert field(after(stored, response(304, x="3")), b"x") == b"3"


def test_a_304_says_nothing_of_the_body() -> None:
    stored = tagged(cache_control="max-age=60", content_type="text/css", content_encoding="br")
    answer = response(
        304, content_type="text/html", content_encoding="gzip", content_length="0",
        content_range="bytes 0-1/2",
    )  # fmt: skip
    renewed = Headers(after(stored, answer).headers)
    names = (b"content-type", b"content-encoding", b"content-length", b"content-range")
    assert [renewed.get(name) for name in names] == [b"text/css", b"br", None, None]


def test_fields_of_the_connection_are_not_taken_over() -> None:
    stored = tagged(cache_control="max-age=60", x_a="1")
    renewed = after(stored, response(304, connection="X-A", x_a="2", keep_alive="1"))
    assert (field(renewed, b"x-a"), field(renewed, b"keep-alive")) == (b"1", None)


def test_a_304_states_a_new_lifetime() -> None:
    stored = tagged(cache_control="max-age=60, immutable")
    renewed = after(stored, response(304, cache_control="max-age=90, stale-while-revalidate=5"))
    assert (renewed.lifetime_s, renewed.stale_while_revalidate_s, renewed.flags) == (90, 5, 0)


def test_the_age_of_a_304_counts() -> None:
    renewed = after(tagged(cache_control="max-age=60"), response(304, age="50"))
    assert renewed.corrected_age_s == 50


def test_body_and_place_in_the_store_stay() -> None:
    stored = tagged(cache_control="max-age=60")
    renewed = after(stored, response(304, cache_control="max-age=90"))
    kept = ("key", "variant", "vary", "status", "length", "version", "slice_bytes", "generation")
    assert [getattr(renewed, name) for name in kept] == [getattr(stored, name) for name in kept]


def test_a_304_ends_invalidation() -> None:
    stored = record(headers=fields(etag='"a"'), flags=int(StoredFlag.INVALIDATED))
    assert is_fresh(after(stored, response(304)))


@pytest.mark.parametrize("control", ["no-store", "private", "no-cache"])
def test_a_304_that_forbids_sharing_is_obeyed(control: str) -> None:
    renewed = after(tagged(cache_control="max-age=600"), response(304, cache_control=control))
    assert (is_fresh(renewed), renewed.flags & StoredFlag.NO_CACHE) == (False, StoredFlag.NO_CACHE)


# A 304 that says nothing of freshness.


@pytest.mark.parametrize("control", ["max-age=3600", "no-store"])
def test_what_a_targeted_field_said_still_holds(control: str) -> None:
    stored = tagged(headrace_cache_control="max-age=5", cache_control=control)
    assert after(stored, response(304)).lifetime_s == 5


def test_no_cache_from_a_targeted_field_still_holds() -> None:
    stored = tagged(headrace_cache_control="no-cache", cache_control="max-age=3600")
    assert after(stored, response(304)).flags == StoredFlag.NO_CACHE


def test_expires_is_not_prolonged() -> None:
    stored = tagged(expires=date(150))
    assert after(stored, response(304)).lifetime_s == 50


def test_expires_does_not_outlast_what_a_targeted_field_said() -> None:
    stored = tagged(headrace_cache_control="max-age=5", expires=date(3600))
    assert after(stored, response(304)).lifetime_s == 5


def test_a_forced_lifetime_begins_again() -> None:
    rules = CacheRules(force_lifetime_s=600.0)
    stored = stored_from(response(etag='"a"', cache_control="max-age=1"), rules)
    renewed = after(stored, response(304), rules=rules)
    assert renewed.lifetime_s - renewed.corrected_age_s == 600


# A 304 that is not about this response, or not for all.


@pytest.mark.parametrize(
    "named", [{"etag": '"b"'}, {"etag": 'W/"b"'}, {"last_modified": date(-5)}]
)  # fmt: skip
def test_a_304_about_another_representation_changes_nothing(named: dict[str, str | bytes]) -> None:
    stored = tagged(cache_control="max-age=60", last_modified=date(-9))
    assert after(stored, ResponseHead(304, Headers(fields(**named)))) == stored


@pytest.mark.parametrize(
    ("known", "tag", "matches"),
    [
        ('"a"', '"a"', True), ('"a"', 'W/"a"', True), ('W/"a"', 'W/"a"', True),
        ('W/"a"', '"a"', True), ('""', "W/", False), ("", '"a"', False), ("", 'W/"a"', False),
    ],
)  # fmt: skip
def test_a_304_is_matched_by_weak_comparison(known: str, tag: str, matches: bool) -> None:
    stored = record(headers=fields(etag=known, date=date()))
    assert (after(stored, response(304, etag=tag)) != stored) is matches


def test_a_body_that_is_known_by_a_weak_tag_gets_no_strong_one() -> None:
    stored = record(headers=fields(etag='W/"a"', date=date(), cache_control="max-age=60"))
    renewed = after(stored, response(304, etag='"a"'))
    assert (is_fresh(renewed), field(renewed, b"etag")) == (True, b'W/"a"')


@pytest.mark.parametrize("control", [{}, {"cache_control": "max-age=3600"}])
def test_a_304_does_not_prolong_an_error(control: dict[str, str]) -> None:
    old = stored_from(response(404, etag='"a"', cache_control="max-age=9999", age="5000"))
    renewed = after(old, response(304, etag='"a"', **control))
    assert renewed.lifetime_s - renewed.corrected_age_s <= RULES.error_max_s


def test_a_304_to_credentials_does_not_renew_for_all() -> None:
    stored = tagged(cache_control="max-age=60")
    assert after(stored, response(304), request(authorization="x")) == stored


def test_a_304_to_credentials_renews_what_is_public() -> None:
    stored = tagged(cache_control="public, max-age=60")
    assert is_fresh(after(stored, response(304), request(authorization="x")))


def test_a_304_that_sets_a_cookie_does_not_renew_for_all() -> None:
    stored = tagged(cache_control="max-age=60")
    assert after(stored, response(304, set_cookie="a=1")) == stored


@pytest.mark.parametrize("vary", ["Cookie", "Accept-Encoding, Cookie", "*"])
def test_a_304_that_varies_by_more_makes_it_need_validation(vary: str) -> None:
    stored = tagged(cache_control="max-age=600", vary="Accept-Encoding")
    renewed = after(stored, response(304, vary=vary))
    assert (is_fresh(renewed), field(renewed, b"vary")) == (False, b"Accept-Encoding")


def test_a_304_that_varies_by_less_leaves_the_variant() -> None:
    stored = tagged(cache_control="max-age=60", vary="Accept-Encoding, Cookie")
    renewed = after(stored, response(304, vary="Cookie"))
    assert (is_fresh(renewed), field(renewed, b"vary")) == (True, b"Accept-Encoding, Cookie")


# HEAD (section 4.3.5).


def head(stored: StoredResponse, **named: str | bytes) -> StoredResponse | None:
    return head_update(
        stored, ResponseHead(200, Headers(fields(**named))), RULES, request(b"HEAD"),
        request_time=NOW + LATER_S, response_time=NOW + LATER_S,
    )  # fmt: skip


def test_a_head_that_agrees_makes_fresh_again() -> None:
    stored = tagged(cache_control="max-age=60")
    renewed = head(stored, etag='"a"', content_length="5", cache_control="max-age=60")
    assert renewed is not None
    assert is_fresh(renewed)


@pytest.mark.parametrize(
    "named", [{"etag": '"b"'}, {"last_modified": date(-5)}, {"content_length": "6"}]
)  # fmt: skip
def test_a_head_that_disagrees_shows_that_it_is_outdated(named: dict[str, str | bytes]) -> None:
    stored = tagged(cache_control="max-age=60", last_modified=date(-9))
    assert head(stored, **named) is None


@pytest.mark.parametrize("named", [{}, {"content_length": "5"}])
def test_a_head_without_a_validator_renews_nothing(named: dict[str, str | bytes]) -> None:
    stored = tagged(cache_control="max-age=60")
    answer = fields(**named, cache_control="max-age=9999")
    found = head_update(
        stored, ResponseHead(200, Headers(answer)), RULES, request(b"HEAD"),
        request_time=NOW + LATER_S, response_time=NOW + LATER_S,
    )  # fmt: skip
    assert found == stored


def test_a_length_that_is_not_known_yet_disagrees_with_none() -> None:
    assert head(record(headers=fields(etag='"a"'), length=-1), content_length="6") is not None


# Properties.

answers = st.lists(
    st.tuples(
        st.sampled_from(
            [b"cache-control", b"expires", b"date", b"age", b"vary", b"etag", b"last-modified",
             b"set-cookie", b"connection", b"cdn-cache-control"]
        ),
        field_values | directive_like | st.sampled_from([date(), b'"a"', b"max-age=9"]),
    ),
    max_size=5,
).map(lambda found: ResponseHead(304, Headers(found)))  # fmt: skip


@given(answers)
def test_whatever_a_304_says_the_body_stays_the_same_representation(answer: ResponseHead) -> None:
    stored = tagged(cache_control="max-age=60")
    renewed = after(stored, answer)
    assert (renewed.version, renewed.length, renewed.vary, renewed.variant) == (
        stored.version, stored.length, stored.vary, stored.variant,
    )  # fmt: skip
    assert (field(renewed, b"etag") or b"").removeprefix(b"W/") == b'"a"'


@given(answers)
def test_a_304_that_says_nothing_of_freshness_never_prolongs(answer: ResponseHead) -> None:
    stating = (b"cache-control", b"expires", b"cdn-cache-control")
    silent = ResponseHead(304, answer.headers.without(stating))
    stored = tagged(cache_control="max-age=60")
    assert after(stored, silent).lifetime_s <= stored.lifetime_s
