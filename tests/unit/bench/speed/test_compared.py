"""What a result says of each work."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bench.speed.compared import all_works, by_round, closest, compared, cpu, figure, sure
from bench.speed.result import Measured, Sample, Tail

from tests.unit.bench.speed.made_up import result, work

SEGMENTS = work("a", {"headrace": [2.0, 4.0, 1.0], "nginx": [1.0, 2.0, 0.5], "varnish": [4.0]})


def test_ratios_are_within_rounds_and_not_of_medians() -> None:
    found = compared(SEGMENTS)
    assert found.ratios["nginx"].low == found.ratios["nginx"].high == 2.0
    assert (found.ratios["varnish"].median, found.ratios["varnish"].count) == (0.5, 1)


def test_less_is_better_where_it_is_said() -> None:
    last = work("f2", {"headrace": [5.0], "nginx": [20.0]}, more_is_better=False)
    assert compared(last).ratios["nginx"].median == 4.0


def test_cost_is_compared_by_itself() -> None:
    costs = {"headrace": [10.0], "nginx": [5.0]}
    found = compared(work("c", {"headrace": [3.0], "nginx": [3.0]}, cpu_us=costs))
    assert (found.ratios["nginx"].median, found.cpu_ratios["nginx"].median) == (1.0, 0.5)


def test_instructions_are_compared_where_they_were_counted() -> None:
    counted = Measured(
        "a", "", "GB/s", True,
        {"headrace": {0: Sample(1.0, 1.0, 200.0)}, "nginx": {0: Sample(1.0, 1.0, 100.0)}},
    )  # fmt: skip
    assert compared(counted).instruction_ratios["nginx"].median == 0.5
    assert compared(SEGMENTS).instructions == {}


def test_the_closest_is_whom_we_are_least_ahead_of() -> None:
    found = closest(compared(SEGMENTS).ratios)
    assert found is not None
    assert found[0] == "varnish"
    assert closest({}) is None


def test_what_was_not_measured_is_left_out() -> None:
    assert by_round(SEGMENTS, "haproxy", figure) == {}
    assert (
        by_round(Measured("i1", "", "KiB", False, {"nginx": {0: Sample(1.0)}}), "nginx", cpu) == {}
    )


def test_percentiles_over_all_rounds_take_the_place_of_medians_and_keep_the_cost() -> None:
    tail = Tail(
        "first byte", {"e2": 50.0, "e3": 99.0},
        {"headrace": {0: [1.0] * 100}, "nginx": {0: [2.0] * 100}},
    )  # fmt: skip
    timed = work("e2", {"headrace": [7.0], "nginx": [7.0]}, unit="ms", more_is_better=False)
    found = {each.letter: each for each in all_works(result([timed], tails=[tail]))}
    assert found["e2"].figures["headrace"].median == 1.0
    assert found["e3"].ratios["nginx"].median == 2.0
    assert "nginx" in found["e2"].cpu_ratios
    assert not found["e3"].cpu_ratios


def test_works_come_in_the_order_of_their_letters() -> None:
    letters = [each.letter for each in all_works(result([work("c", {}), work("a", {})]))]
    assert letters == ["a", "c"]
    assert all(one < other for one, other in pairwise(letters))


@pytest.mark.parametrize(("peer", "there"), [("nginx", True), ("haproxy", False)])
def test_how_sure_a_ratio_is_needs_common_rounds(peer: str, there: bool) -> None:
    found = sure(SEGMENTS, peer, figure, more_is_better=True)
    assert (found is not None) is there
