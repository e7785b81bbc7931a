"""Spreads, ratios within a round and intervals: rules that hold for all figures."""

from __future__ import annotations

import random

import pytest
from bench.speed import rounds
from hypothesis import given
from hypothesis import strategies as st

FIGURES = st.floats(min_value=1e-3, max_value=1e9)
SOME = st.lists(FIGURES, min_size=1, max_size=40)
BY_ROUND = st.dictionaries(st.integers(0, 20), FIGURES, min_size=1, max_size=20)


@given(SOME)
def test_a_spread_is_in_order_and_within_the_values(values: list[float]) -> None:
    found = rounds.spread(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)


@given(SOME, st.randoms(use_true_random=False))
def test_the_order_of_rounds_does_not_matter(values: list[float], chance: random.Random) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)
    assert rounds.spread(shuffled) == rounds.spread(values)
    assert rounds.interval(shuffled) == rounds.interval(values)


@pytest.mark.parametrize(("rank", "value"), [(0, 1.0), (50, 2.5), (100, 4.0), (25, 1.75)])
def test_a_quantile_lies_between_its_neighbours(rank: float, value: float) -> None:
    assert rounds.quantile([4.0, 1.0, 3.0, 2.0], rank) == pytest.approx(value)


@pytest.mark.parametrize(("values", "rank"), [([], 50.0), ([1.0], 101.0), ([1.0], -1.0)])
def test_what_has_no_quantile_raises(values: list[float], rank: float) -> None:
    with pytest.raises(ValueError, match="a quantile needs values"):
        rounds.quantile(values, rank)


@given(BY_ROUND, st.floats(min_value=0.01, max_value=100), st.floats(0.1, 10))
def test_a_machine_that_slows_down_leaves_the_ratios(
    mine: dict[int, float], times: float, slower: float
) -> None:
    """However each round went, the ratio is what the servers differ by."""
    slowness = {number: slower ** (number % 3) for number in mine}
    own = {number: each * slowness[number] for number, each in mine.items()}
    other = {number: each * slowness[number] / times for number, each in mine.items()}
    found = rounds.against(own, other, more_is_better=True)
    assert found is not None
    assert found.low == pytest.approx(times)
    assert found.high == pytest.approx(times)


@given(BY_ROUND, BY_ROUND)
def test_up_and_down_are_the_inverse_of_each_other(
    mine: dict[int, float], theirs: dict[int, float]
) -> None:
    up = rounds.ratios(mine, theirs, more_is_better=True)
    down = rounds.ratios(mine, theirs, more_is_better=False)
    assert [1 / each for each in down] == pytest.approx(up)


def test_only_rounds_that_both_have_are_compared() -> None:
    assert rounds.ratios({0: 2.0, 1: 9.0}, {0: 1.0, 2: 5.0}, more_is_better=True) == [2.0]


def test_without_a_common_round_there_is_no_ratio() -> None:
    assert rounds.against({0: 2.0}, {1: 1.0}, more_is_better=True) is None


@pytest.mark.parametrize(
    ("count", "low", "high", "sureness"),
    [
        (1, 0, 0, 0.0), (2, 0, 1, 0.5), (5, 0, 4, 0.9375), (6, 0, 5, 0.96875),
        (9, 1, 7, 0.9609375), (15, 3, 11, 0.96484375),
    ],
)  # fmt: skip
def test_an_interval_of_the_median_is_that_of_tables(
    count: int, low: int, high: int, sureness: float
) -> None:
    found = rounds.interval([float(number) for number in range(count)])
    assert (found.low, found.high) == (low, high)
    assert found.sureness == pytest.approx(sureness)


@given(SOME)
def test_an_interval_holds_the_median_and_is_as_sure_as_can_be(values: list[float]) -> None:
    found = rounds.interval(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.sureness >= rounds.LEVEL or (found.low, found.high) == (min(values), max(values))


def test_the_true_median_lies_outside_no_more_often_than_said() -> None:
    """Two thousand times fifteen draws of a skewed distribution whose median is known."""
    chance = random.Random(1)
    outside = 0
    for _ in range(2000):
        found = rounds.interval([chance.expovariate(0.6931471805599453) for _ in range(15)])
        outside += not found.low <= 1.0 <= found.high
    assert outside / 2000 <= 1 - found.sureness + 0.015


@given(st.lists(st.lists(FIGURES, min_size=1, max_size=5), min_size=1, max_size=8))
def test_a_tail_against_itself_is_alike_however_rounds_are_drawn(found: list[list[float]]) -> None:
    by_round = dict(enumerate(found))
    ratio = rounds.tail_ratio(by_round, by_round, 99.9)
    assert ratio == rounds.Spread(1.0, 1.0, 1.0, len(found))


def test_a_tail_is_taken_over_all_rounds() -> None:
    mine = {0: [1.0] * 99, 1: [1.0] * 98 + [2.0] * 3}
    theirs = {0: [4.0] * 99, 1: [4.0] * 101}
    assert rounds.pooled(mine, (0, 1), 99) == 2.0
    found = rounds.tail_ratio(mine, theirs, 99)
    assert found is not None
    assert (found.median, found.high) == (2.0, 4.0)


def test_a_tail_without_a_common_round_is_none() -> None:
    assert rounds.tail_ratio({0: [1.0], 1: []}, {1: [1.0]}, 50) is None


def test_each_member_is_first_equally_often() -> None:
    assert [rounds.turn("abc", number)[0] for number in range(6)] == list("abcabc")
    assert sorted(rounds.turn("abc", 7)) == list("abc")
