"""Which variant a request selects (RFC 9111 section 4.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.presented_fields import best_encoding
from headrace.cache.vary import variant_text, vary_names
from headrace.http.message import Headers
from tests.unit.cache.values import RULES, directive_like, field_values, fields

CODINGS = (b"br", b"gzip")


def variant(vary: tuple[bytes, ...], **named: str | bytes) -> bytes:
    return variant_text(vary, Headers(fields(**named)), RULES)


NAMES = [
    ("", ()),
    ("Accept-Encoding", (b"accept-encoding",)),
    ("b, A", (b"a", b"b")),
    ("a, A , a", (b"a",)),
    (",a,,", (b"a",)),
    ("*", None),
    ("a, *", None),
    ("a b", None),
]


@pytest.mark.parametrize(("value", "names"), NAMES)
def test_the_names_in_vary(value: str, names: tuple[bytes, ...] | None) -> None:
    assert vary_names(Headers(fields(vary=value))) == names


def test_without_vary_there_are_no_names() -> None:
    assert vary_names(Headers()) == ()


def test_several_lines_of_vary_count_together() -> None:
    assert vary_names(Headers([(b"vary", b"a"), (b"vary", b"b")])) == (b"a", b"b")


def test_a_star_on_a_second_line_counts() -> None:
    assert vary_names(Headers([(b"vary", b"a"), (b"vary", b"*")])) is None


def test_without_names_all_requests_are_one_variant() -> None:
    assert variant((), accept_encoding="gzip") == b""


def test_an_absent_field_and_an_empty_one_differ() -> None:
    assert variant((b"x",)) != variant((b"x",), x="")


def test_space_around_commas_does_not_matter() -> None:
    assert variant((b"accept",), accept="a ,b") == variant((b"accept",), accept="a, b")


def test_order_matters_in_a_field_whose_meaning_is_not_known() -> None:
    assert variant((b"x",), x="a, b") != variant((b"x",), x="b, a")


def test_a_value_never_passes_for_another_field() -> None:
    assert variant((b"a", b"b"), a="1", b="2") != variant((b"a", b"b"), a="1:b", b="2")


ENCODINGS = [
    ("br", b"br"),
    ("gzip", b"gzip"),
    ("gzip, deflate, br, zstd", b"br"),
    ("gzip;q=1.0, br;q=0.5", b"gzip"),
    ("GZIP", b"gzip"),
    ("gzip ; q=0.5", b"gzip"),
    ("*", b"br"),
    ("br;q=0, *", b"gzip"),
    ("br;q=0, *;q=0.5", b"gzip"),
    ("gzip;q=0", b"identity"),
    ("gzip;q=0.000, br;q=0", b"identity"),
    ("*;q=0", b"identity"),
    ("identity", b"identity"),
    ("deflate", b"identity"),
    ("gzip;q=x", b"identity"),
    ("gzip;q=nan", b"identity"),
    ("", b"identity"),
]


@pytest.mark.parametrize(("value", "coding"), ENCODINGS)
def test_an_accept_encoding_comes_down_to_one_coding(value: str, coding: bytes) -> None:
    assert best_encoding(value.encode(), CODINGS) == coding


def test_no_accept_encoding_is_identity() -> None:
    assert best_encoding(None, CODINGS) == b"identity"


def test_a_service_that_tells_no_codings_apart_has_one_variant() -> None:
    assert best_encoding(b"gzip, br", ()) == b"identity"


def test_an_equal_wish_goes_by_the_services_order() -> None:
    assert best_encoding(b"br, gzip", (b"gzip", b"br")) == b"gzip"


@given(
    st.permutations(["br", "gzip", "deflate", "zstd", "x-y"]), st.sampled_from([",", ", ", " ,"])
)
def test_equivalent_accept_encodings_select_one_variant(codings: list[str], comma: str) -> None:
    name = (b"accept-encoding",)
    assert variant(name, accept_encoding=comma.join(codings)) == variant(
        name, accept_encoding="gzip, br"
    )


@given(st.one_of(field_values, directive_like, st.binary(min_size=250, max_size=400)))
def test_whatever_comes_selects_a_known_coding(value: bytes) -> None:
    assert best_encoding(value, CODINGS) in (*CODINGS, b"identity")
