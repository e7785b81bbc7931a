"""Percentiles as the bench reckons them."""

from __future__ import annotations

import pytest
from bench.speed.figures import percentile
from hypothesis import given
from hypothesis import strategies as st

values = st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=200)


def test_percentiles_are_by_nearest_rank() -> None:
    hundred = [float(number) for number in range(100, 0, -1)]
    assert [percentile(hundred, rank) for rank in (50, 99, 99.9)] == [50, 99, 100]


@given(found=values, rank=st.floats(min_value=0, max_value=100))
def test_a_percentile_is_one_of_the_values(found: list[float], rank: float) -> None:
    assert percentile(found, rank) in found


@given(found=values, rank=st.floats(min_value=0.1, max_value=100))
def test_a_percentile_is_not_exceeded_by_that_share(found: list[float], rank: float) -> None:
    limit = percentile(found, rank)
    assert sum(value <= limit for value in found) >= len(found) * rank / 100 - 1e-6


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 99)
