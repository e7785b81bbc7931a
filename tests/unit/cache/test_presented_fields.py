"""What of a client's fields selects a variant, and reaches the origin in the same words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.presented_fields import (
    fields_of_variant,
    headers_asked,
    may_be_presented,
    presented_language,
    vary_with,
)
from headrace.cache.vary import variant_text, vary_names
from headrace.http.message import Headers
from tests.unit.cache.values import RULES

field_values = st.binary(max_size=60).map(lambda value: re.sub(rb"[\r\n\0]", b"", value))
LANGUAGES = (b"en", b"de", b"de-at")


@pytest.mark.parametrize(
    ("value", "language"),
    [
        (b"de", b"de"),
        (b"DE", b"de"),
        (b"de-AT", b"de-at"),
        (b"de-CH, fr;q=0.5", b"de"),
        (b"fr, de;q=0.5, en;q=0.9", b"en"),
        (b"fr", None),
        (b"*", b"en"),
        (b"*, en;q=0", b"de"),
        (b"de;q=0", None),
        (b"", None),
    ],
)
def test_a_language_comes_down_to_one_that_is_there(value: bytes, language: bytes | None) -> None:
    assert presented_language(value, LANGUAGES) == language


@pytest.mark.parametrize(
    "spelling", [b"de,en;q=0.5", b"DE , en;q=0.50", b"en; q=0.5, de", b"de;q=1,en;q=0.5"]
)
def test_where_none_are_known_order_and_case_do_not_matter(spelling: bytes) -> None:
    assert presented_language(spelling, ()) == b"de,en;q=0.5"


@given(field_values)
def test_presenting_twice_changes_nothing(value: bytes) -> None:
    for languages in ((), LANGUAGES):
        rules = replace(RULES, languages=languages)
        vary = (b"accept", b"accept-encoding", b"accept-language", b"x")
        text = variant_text(vary, Headers([(name, value) for name in vary]), rules)
        assert variant_text(vary, headers_asked(text, Headers(), rules), rules) == text


@given(field_values)
def test_a_variants_text_is_read_back(value: bytes) -> None:
    asked = Headers([(b"x", value)])
    assert fields_of_variant(variant_text((b"w", b"x"), asked, RULES)) == [(b"x", value)]


@pytest.mark.parametrize(
    "name",
    [
        b"host",
        b"range",
        b"via",
        b"x-forwarded-host",
        b"x-original-url",
        b"x_y",
        b"cmcd-object",
        b"te",
    ],
)
def test_what_no_origin_sees_selects_nothing(name: bytes) -> None:
    assert not may_be_presented(name)
    assert vary_names(Headers([(b"vary", name + b", accept")])) == (b"accept",)


def test_a_response_that_varies_by_address_is_no_one_elses() -> None:
    assert vary_names(Headers([(b"vary", b"X-Forwarded-For")])) is None


def test_what_was_asked_by_stays_in_the_variant() -> None:
    assert vary_with((b"a",), b"b:1\nc", Headers(), RULES) == (b"a", b"b", b"c")


def test_a_coded_response_is_for_those_who_take_the_coding() -> None:
    for coding, names in ((b"gzip", (b"accept-encoding",)), (b"identity", ())):
        answer = Headers([(b"content-encoding", coding)])
        assert vary_with((), b"", answer, RULES) == names


def test_a_language_is_for_those_who_want_it_where_there_are_several() -> None:
    answer = Headers([(b"content-language", b"de")])
    assert vary_with((), b"", answer, RULES) == ()
    rules = replace(RULES, languages=LANGUAGES)
    assert vary_with((), b"", answer, rules) == (b"accept-language",)
