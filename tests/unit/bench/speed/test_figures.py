"""Medians, percentiles and ratios as the bench reckons them."""

from __future__ import annotations

import pytest
from bench.speed.figures import Line, best_peer, percentile, ratio
from hypothesis import given
from hypothesis import strategies as st

values = st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=200)
FASTER = Line("a", "segments", "GB/s", True, {"headrace": [3, 1, 2], "nginx": [1], "varnish": [4]})
SLOWER = Line("f2", "last client", "ms", False, {"headrace": [10], "nginx": [20], "varnish": [5]})


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


def test_a_ratio_is_of_medians() -> None:
    assert ratio(FASTER, "headrace", "nginx") == 2.0


def test_a_ratio_above_one_is_better_also_where_less_is_more() -> None:
    assert ratio(SLOWER, "headrace", "nginx") == 2.0


def test_there_is_no_ratio_to_a_peer_without_figures() -> None:
    assert ratio(FASTER, "headrace", "haproxy") is None


@pytest.mark.parametrize("line", [FASTER, SLOWER])
def test_the_best_peer_is_another_one(line: Line) -> None:
    assert best_peer(line, "headrace") == "varnish"


def test_alone_there_is_no_best_peer() -> None:
    assert best_peer(Line("a", "", "", True, {"headrace": [1.0]}), "headrace") is None
