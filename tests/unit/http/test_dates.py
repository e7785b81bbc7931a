from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.dates import format_http_date, parse_http_date


@pytest.mark.parametrize(
    "text",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"SUN, 06 NOV 1994 08:49:37 gmt",
        b"sunday, 06-nov-94 08:49:37 Gmt",
        b"SUN nov  6 08:49:37 1994",
    ],
)
def test_all_three_formats_are_read(text: bytes) -> None:
    assert parse_http_date(text) == 784111777.0


@pytest.mark.parametrize(
    "text",
    [
        b"", b"0", b"-1", b"Sun, 06 Nov 1994 08:49:37", b"Sun, 31 Feb 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:00:00 GMT", b"Sun, 06 Nov 1994 08:49:37 CET", b"x" * 10000,
        b"Sun, 06 Nov 1994 08:49:37 UTC", b"Sun, 06 Nov 94 08:49:37 GMT", b"784111777",
        b"Sun 06 Nov 1994 08:49:37 GMT", b"Sun, 06  Nov 1994 08:49:37 GMT",
        b"Sun, 06-Nov-1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08.49.37 GMT",
        b"Sun, 6 Nov 1994 8:49:37 GMT", b"Sun, 00 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 0000 08:49:37 GMT", b"Sun Nov 6 08:49:37 1994", b"Sun Nov 31 08:49:37 1994",
        b"Sun, 06 Nov 1994 08:49:37 +0000", b"Sun, 06 Nov 1994 08:49:37 GMT, x",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text: bytes) -> None:
    assert parse_http_date(text) is None


def test_a_two_digit_year_is_never_far_in_the_future() -> None:
    text = b"Sunday, 06-Nov-%02d 08:49:37 GMT"
    years = [parse_http_date(text % short, this_year=2026) for short in (70, 77)]
    assert years[0] is not None
    assert years[1] is not None
    assert years[0] > years[1]


@given(st.integers(0, 4102444800))
def test_a_date_reads_back(second: int) -> None:
    assert parse_http_date(format_http_date(second)) == second


@given(st.binary(max_size=50))
def test_no_bytes_break_it(data: bytes) -> None:
    found = parse_http_date(data)
    assert found is None or isinstance(found, float)
