from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.simulate.engine import Result
from headrace.simulate.figures import Figures, figures_of
from headrace.simulate.report.charts import MOST_POINTS, Thinning, plots_of
from headrace.simulate.report.page import page
from headrace.simulate.report.tables import write_tables
from headrace.simulate.summary import summary
from tests.harness.scenarios import simulated


@pytest.fixture(scope="module")
def result() -> Result:
    title = "</script><script>alert(1)</script>"
    return simulated(title=title, failure=[{"site": "north", "from": 200, "until": 300}])


@pytest.fixture(scope="module")
def figures(result: Result) -> Figures:
    return figures_of(result, {"north": 0.5}, 0.25, 2.0)


def test_a_page_needs_nothing_from_elsewhere(result: Result, figures: Figures) -> None:
    text = page(result, figures)
    assert not re.search(r"\b(?:src|href)\s*=|@import|url\(|https?:", text)


def test_a_title_cannot_end_the_data(result: Result, figures: Figures) -> None:
    text = page(result, figures)
    assert "<script>alert" not in text
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    document = json.loads(found[1])
    assert [mark["text"] for mark in document["marks"]] == [
        "2 servers of north: dead",
        "2 servers of north: back",
    ]


def test_all_lines_have_a_value_for_each_time(result: Result) -> None:
    plots = plots_of(result)
    assert len(plots.at_s) == len(result.series.at_s)
    assert {len(line.values) for chart in plots.charts for line in chart.lines} == {len(plots.at_s)}


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=4 * MOST_POINTS))
def test_thinned_lines_keep_their_peak_and_are_short(values: list[float]) -> None:
    thin = Thinning(len(values))
    peaks = [value for value in thin.peaks(values) if value is not None]
    assert len(peaks) == len(thin.firsts(values)) <= MOST_POINTS
    assert max(peaks) == pytest.approx(max(values), rel=1e-4)


def test_where_nothing_was_asked_a_ratio_has_no_value() -> None:
    assert Thinning(2).ratios([0.0, 1.0], [0.0, 2.0]) == [None, 0.5]


def test_tables_have_a_row_for_each_interval_and_site(
    result: Result, figures: Figures, tmp_path: Path
) -> None:
    write_tables(tmp_path / "new", result, figures)
    rows = {
        name: list(csv.DictReader((tmp_path / "new" / name).read_text().splitlines()))
        for name in ("network.csv", "sites.csv", "events.csv", "figures.csv")
    }
    assert len(rows["network.csv"]) == 120
    assert len(rows["sites.csv"]) == 120 * len(result.series.sites)
    assert [row["at_s"] for row in rows["events.csv"]] == ["200.0", "300.0"]
    values = {row["figure"]: row["value"] for row in rows["figures.csv"]}
    assert int(values["requests"]) == result.totals.requests
    assert int(values["north.client_bytes"]) == result.totals.site_client_bytes["north"]


def test_costs_are_of_what_clients_got_from_sites_and_of_what_origins_sent(
    result: Result, figures: Figures
) -> None:
    totals = result.totals
    gigabytes = {name: of / 1e9 for name, of in totals.site_client_bytes.items()}
    expected = 0.5 * gigabytes["north"] + 0.25 * (sum(gigabytes.values()) - gigabytes["north"])
    assert figures.cost == pytest.approx(expected + 2.0 * totals.origin_bytes / 1e9)


def test_the_summary_names_each_site_and_each_event(result: Result, figures: Figures) -> None:
    text = "\n".join(summary(result, figures))
    for name in (*result.series.sites, "0:03:20  2 servers of north: dead"):
        assert name in text
