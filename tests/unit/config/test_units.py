from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.config.units import (
    format_bit_rate,
    format_size,
    parse_bit_rate,
    parse_duration,
    parse_size,
    rounded_bit_rate,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [(0, 0), (4096, 4096), ("1KiB", 1024), ("64MB", 64_000_000), ("1.5GiB", 1610612736)],
)
def test_sizes(text: object, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "x", "-1", -1, True, None, "1XB", "0.3B", [], 1.5])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "duration_s"), [(0, 0.0), (2.5, 2.5), ("250ms", 0.25), ("5m", 300.0), ("1d", 86400.0)]
)
def test_durations(text: object, duration_s: float) -> None:
    assert parse_duration(text) == duration_s


@pytest.mark.parametrize("text", ["", "1w", -1, float("inf"), float("nan"), True, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.integers(0, 2**60))
def test_a_formatted_size_reads_as_itself(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (parse_size, parse_duration):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0


@pytest.mark.parametrize(
    ("text", "rate_bps"),
    [
        (1000, 1000),
        ("0", 0),
        ("800Mbps", 800_000_000),
        ("2.5 Gbps", 2_500_000_000),
        ("0.1kbps", 100),
        ("1gbps", 10**9),
        ("1Tbps", 10**12),
    ],
)
def test_bit_rates(text: object, rate_bps: int) -> None:
    assert parse_bit_rate(text) == rate_bps


@pytest.mark.parametrize("text", ["", "10Gb", "10GBps", "-1bps", "0.5bps", 1.5, True, -1, None])
def test_what_is_no_bit_rate_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=": write"):
        parse_bit_rate(text)


@given(st.integers(0, 10**15))
def test_a_formatted_bit_rate_reads_as_itself(rate_bps: int) -> None:
    assert parse_bit_rate(format_bit_rate(rate_bps)) == rate_bps


@pytest.mark.parametrize("parse", [parse_size, parse_duration, parse_bit_rate])
def test_thousands_of_digits_are_no_quantity(parse: Callable[[object], object]) -> None:
    for text in ("9" * 5000, "9" * 400 + ".5TB", "1." + "9" * 400 + "Gbps"):
        with pytest.raises(ValueError, match=r"^not a"):
            parse(text)


@pytest.mark.parametrize(
    ("rate_bps", "text"),
    [
        (0.0, "0bps"),
        (999.4, "999bps"),
        (999.6, "1kbps"),
        (28306.7, "28.3kbps"),
        (2_668_959.0, "2.67Mbps"),
        (12e9, "12Gbps"),
        (999.6e9, "1Tbps"),
        (1.2345e15, "1234Tbps"),
    ],
)
def test_measured_bit_rates_have_three_digits(rate_bps: float, text: str) -> None:
    assert rounded_bit_rate(rate_bps) == text
