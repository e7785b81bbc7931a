"""The text of the report, from made-up figures."""

from __future__ import annotations

import pytest
from bench.speed import report
from bench.speed.figures import Line
from bench.speed.switching import Switching

MACHINE = report.Machine("a processor", 2, "6.1", "3.11", "2026-01-01", "nginx 1")
SEGMENTS = Line(
    "a", "segments", "GB/s", True,
    {"headrace": [2.0, 1.0, 3.0], "nginx": [1.0]}, {"varnish": "did not start"}, ceiling=4.0,
)  # fmt: skip
COLD = {"headrace": [(3.0, 2.0, 1.5)]}


def written(lines: list[Line], aside: report.Aside, images: tuple[str, ...] = ()) -> str:
    return report.document(
        MACHINE, lines, aside, ["headrace", "nginx", "varnish"],
        rounds=3, seconds=2.0, images=images,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [(62940.4, "62,940"), (208.3, "208"), (10.04, "10"), (0.2831, "0.283")]
)
def test_numbers_have_three_figures_or_all_of_their_thousands(value: float, text: str) -> None:
    assert report.number(value) == text


def test_a_cell_has_median_and_spread() -> None:
    assert report.cell([2.0, 1.0, 3.0]) == "2 (1–3)"


def test_a_single_figure_has_no_spread() -> None:
    assert report.cell([2.0]) == "2"


def test_a_row_has_the_ratios_to_the_best_and_to_nginx() -> None:
    text = report.comparison([SEGMENTS], ["headrace", "nginx", "varnish"])
    assert text.splitlines()[2] == (
        "| a segments | GB/s | 2 (1–3) | 1 | – | **2.00** (nginx) | 2.00 |"
    )


def test_shares_are_of_the_bare_loop() -> None:
    assert report.shares([SEGMENTS], ["headrace", "nginx"]).splitlines()[2] == (
        "| a segments | 4 GB/s | 50% | 25% |"
    )


def test_costs_have_a_column_for_each_size_that_anyone_reached() -> None:
    text = report.costs("µs", {"headrace": {10: 1.0, 1000: 2.0}, "nginx": {10: 3.0}})
    assert text.splitlines()[0] == "| µs | 10 | 1,000 |"
    assert text.splitlines()[3] == "| nginx | 3.0 | – |"


def test_cold_objects_have_both_latencies_and_their_quotient() -> None:
    assert "| headrace | 2 | 3 | 1.5 |" in written([], report.Aside(cold_ms=COLD))


def test_what_failed_is_named_with_its_reason() -> None:
    assert "- a segments, varnish: did not start" in written([SEGMENTS], report.Aside())


def test_notes_are_reported() -> None:
    assert "- too few cores" in written([], report.Aside(notes=["too few cores"]))


def test_pictures_are_shown() -> None:
    assert "![bars.png](bars.png)" in written([SEGMENTS], report.Aside(), ("bars.png",))


def test_lines_that_have_only_a_target_are_not_compared() -> None:
    text = written([Line("l", "", "", False, {"headrace": [1.5]})], report.Aside())
    assert "| l hits' p99 beside cold objects : beside warm ones | ≤ 2 | 1.50 | met |" in text
    assert "\n| l  |" not in text


@pytest.mark.parametrize("title", ["Growth", "Cold page cache", "load generator the limit"])
def test_sections_without_figures_are_left_out(title: str) -> None:
    assert title not in written([SEGMENTS], report.Aside())


def test_workers_are_compared_by_their_medians() -> None:
    aside = report.Aside(
        workers_us={"plain": {1: [250.0], 2: [260.0]}},
        workers_per_s={"plain": {1: [4000.0, 4100.0, 3900.0], 2: [7200.0, 7000.0, 9000.0]}},
    )
    assert "| plain | 4,000 (3,900–4,100) | 7,200 (7,000–9,000) | 1.80 | 250 | 260 |" in written(
        [SEGMENTS], aside
    )


def test_a_switch_says_what_it_took() -> None:
    text = written([SEGMENTS], report.Aside(switching=[Switching(1, 0, 1, 2.5, 0.8, 1.004)]))
    assert "| a stalled origin is left after so many time limits, at the latest | 1 |" in text
    assert "| connects more, where connections are kept | 0 |" in text


def test_without_switches_there_is_no_section_on_them() -> None:
    assert "A switch to another origin" not in written([SEGMENTS], report.Aside())
