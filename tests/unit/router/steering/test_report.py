"""What players say of themselves, in all the ways in which they say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.router.steering.report import MOST_PATHWAYS, Report, read_pathways, read_report


@pytest.mark.parametrize(
    ("parameters", "report"),
    [
        ({}, Report()),
        ({"_HLS_pathway": "n1"}, Report(("n1",))),
        ({"_HLS_pathway": "n1", "_HLS_throughput": "5140000"}, Report(("n1",), {"n1": 5140000.0})),
        ({"_HLS_pathway": '"n1"', "_HLS_throughput": "1.5"}, Report(("n1",), {"n1": 1.5})),
        (
            {"_DASH_pathway": '"b,a"', "_DASH_throughput": "802522000,647618000"},
            Report(("b", "a"), {"b": 802522000.0, "a": 647618000.0}),
        ),
        (
            {"_DASH_pathway": '"b","a"', "_DASH_throughput": '"1","2"'},
            Report(("b", "a"), {"b": 1.0, "a": 2.0}),
        ),
        ({"_DASH_pathway": "b,a", "_DASH_throughput": ",7"}, Report(("b", "a"), {"a": 7.0})),
        ({"_DASH_pathway": "b,a", "_DASH_throughput": "-1,7"}, Report(("b", "a"), {"a": 7.0})),
        ({"_DASH_pathway": "b,b,<a>", "_DASH_throughput": "1,2,3"}, Report(("b",), {"b": 1.0})),
        ({"_HLS_throughput": "5"}, Report()),
        ({"_HLS_pathway": "n1", "_HLS_throughput": "1e999"}, Report(("n1",))),
        ({"_HLS_pathway": "n1", "_HLS_throughput": "9" * 400}, Report(("n1",))),
        ({"_HLS_pathway": "a" * 129}, Report()),
    ],
)
def test_a_report_is_read(parameters: dict[str, str], report: Report) -> None:
    assert read_report(parameters) == report


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_said_is_bounded(names: str, speeds: str) -> None:
    for kind in ("_HLS", "_DASH"):
        report = read_report({f"{kind}_pathway": names, f"{kind}_throughput": speeds})
        assert len(report.pathways) <= MOST_PATHWAYS
        assert set(report.bps) <= set(report.pathways)
        assert all(0 <= bps < 1e16 for bps in report.bps.values())


def test_a_list_of_pathways_has_each_once() -> None:
    assert read_pathways("a, b,a,,<x>,c") == ("a", "b", "c")
    assert read_pathways(",".join(str(number) for number in range(99)), 4) == ("0", "1", "2", "3")
