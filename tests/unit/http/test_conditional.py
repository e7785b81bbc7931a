from __future__ import annotations

import pytest

from headrace.http.conditional import evaluate_conditions, if_range_matches
from headrace.http.message import Headers

LATER = b"Sun, 06 Nov 1994 09:49:37 GMT"
THEN = b"Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = b"Sun, 06 Nov 1994 07:49:37 GMT"
STORED = Headers([(b"etag", b'"a"'), (b"last-modified", THEN), (b"date", LATER)])
DATED = Headers([(b"etag", b'"a"'), (b"date", THEN)])
WEAK = Headers([(b"etag", b'W/"a"')])


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        (b"if-none-match", b'"a"', 304),
        (b"if-none-match", b'W/"a"', 304),
        (b"if-none-match", b'"b", "a"', 304),
        (b"if-none-match", b"*", 304),
        (b"if-none-match", b'"b"', None),
        (b"if-none-match", b'"a,b"', None),
        (b"if-modified-since", THEN, 304),
        (b"if-modified-since", LATER, 304),
        (b"if-modified-since", EARLIER, None),
        (b"if-modified-since", b"nonsense", None),
        (b"if-match", b'"a"', None),
        (b"if-match", b'"b"', 412),
        (b"if-match", b"*", None),
        (b"if-unmodified-since", EARLIER, 412),
        (b"if-unmodified-since", THEN, None),
    ],
)
def test_a_condition_is_evaluated(name: bytes, value: bytes, status: int | None) -> None:
    assert evaluate_conditions(Headers([(name, value)]), b"GET", 200, STORED) == status


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        (b"if-modified-since", THEN, 304),
        (b"if-modified-since", LATER, 304),
        (b"if-modified-since", EARLIER, None),
        (b"if-modified-since", b"nonsense", None),
        (b"if-unmodified-since", EARLIER, None),
    ],
)
def test_without_last_modified_the_date_answers_if_modified_since(
    name: bytes, value: bytes, status: int | None
) -> None:
    assert evaluate_conditions(Headers([(name, value)]), b"GET", 200, DATED) == status


@pytest.mark.parametrize(
    "stored",
    [Headers(), DATED.plus([(b"last-modified", b"yesterday")]), Headers([(b"date", b"x")])],
)
def test_what_cannot_be_known_is_not_said_to_be_unchanged(stored: Headers) -> None:
    asked = Headers([(b"if-modified-since", LATER)])
    assert evaluate_conditions(asked, b"GET", 200, stored) is None


def test_if_none_match_outweighs_if_modified_since() -> None:
    request = Headers([(b"if-none-match", b'"b"'), (b"if-modified-since", LATER)])
    assert evaluate_conditions(request, b"GET", 200, STORED) is None


def test_errors_are_not_conditional() -> None:
    request = Headers([(b"if-none-match", b"*")])
    assert evaluate_conditions(request, b"GET", 404, STORED) is None


def test_a_weak_tag_never_satisfies_if_match() -> None:
    request = Headers([(b"if-match", b'W/"a"')])
    assert evaluate_conditions(request, b"GET", 200, WEAK) == 412


@pytest.mark.parametrize(
    ("value", "stored", "holds"),
    [
        (b'"a"', STORED, True),
        (b'"b"', STORED, False),
        (b'W/"a"', WEAK, False),
        (THEN, STORED, True),
        (EARLIER, STORED, False),
        (THEN, Headers([(b"last-modified", THEN), (b"date", THEN)]), False),
        (b"nonsense", STORED, False),
    ],
)
def test_if_range_compares_strongly(value: bytes, stored: Headers, holds: bool) -> None:
    assert if_range_matches(value, stored) is holds
