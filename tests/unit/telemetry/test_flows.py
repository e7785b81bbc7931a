"""Flows are counted by coverage and class, as many as there is room for, and none is lost."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from headrace.telemetry.flows import Flows, unpacked
from headrace.telemetry.load_report import OTHER

NAMES = st.sampled_from(["a", "b", "c", "d", OTHER])
COUNTED = st.lists(st.tuples(NAMES, NAMES, st.integers(0, 2**40)), max_size=60)


@example([("a", "a", 0), (OTHER, OTHER, 0), ("a", "b", 1)], 2)
@given(COUNTED, st.integers(0, 30))
def test_all_that_is_counted_is_told_under_its_name_or_another(
    counted: list[tuple[str, str, int]], most: int
) -> None:
    flows = Flows(most)
    for coverage, content, size in counted:
        flow = flows.row(coverage)[content]
        flow.bytes += size
        flow.requests += 1
    numbers = unpacked(flows.packed())
    assert len(flows.pairs) <= most + 1
    assert len(flows.pairs) == len(set(flows.pairs))
    sizes, requests_of = numbers[: len(flows.pairs)], numbers[len(flows.pairs) :]
    assert sum(sizes) == sum(size for _coverage, _content, size in counted)
    assert sum(requests_of) == len(counted)
    true = Counter((coverage, content) for coverage, content, _size in counted)
    for pair, requests in zip(flows.pairs, requests_of, strict=True):
        if pair != (OTHER, OTHER):
            assert true[pair] == requests


def test_names_stay_where_they_are() -> None:
    flows = Flows()
    first = flows.row("a")["x"]
    assert flows.row("a")["x"] is first is flows.of("a", "x")
    flows.of("b", "x")
    assert flows.pairs == [("a", "x"), ("b", "x")]
