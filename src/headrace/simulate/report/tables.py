"""A simulation as CSV: by interval, by site and interval, and the figures."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from headrace.simulate.engine import Result
from headrace.simulate.figures import Figures, as_dict

Row = Sequence[str | float | int]


def write_tables(directory: Path, result: Result, figures: Figures) -> None:
    """Write `network.csv`, `sites.csv`, `events.csv` and `figures.csv`. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, rows in (
        ("network.csv", network_rows(result)),
        ("sites.csv", site_rows(result)),
        ("events.csv", event_rows(result)),
        ("figures.csv", figure_rows(figures)),
    ):
        with (directory / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def network_rows(result: Result) -> Iterator[Row]:
    """Yield a row for each interval, after their heads."""
    series = result.series
    yield (
        "at_s", "viewers", "requests_per_s", "hits_per_s", "origin_bps", "origin_requests_per_s",
        "failed_per_s", "starved",
    )  # fmt: skip
    yield from zip(
        series.at_s, series.viewers, series.requests, series.hits, series.origin_bps,
        series.origin_requests, series.failed, series.starved, strict=True,
    )  # fmt: skip


def site_rows(result: Result) -> Iterator[Row]:
    """Yield a row for each site and interval, after their heads."""
    yield (
        "at_s", "site", "kind", "clients_bps", "sent_bps", "able_bps", "requests_per_s",
        "hits_per_s", "fullest_server",
    )  # fmt: skip
    for one in result.series.sites.values():
        columns = zip(
            result.series.at_s, one.clients_bps, one.sent_bps, one.able_bps, one.requests,
            one.hits, one.fullest, strict=True,
        )  # fmt: skip
        for at_s, *values in columns:
            yield at_s, one.site, one.kind.value, *values


def event_rows(result: Result) -> Iterator[Row]:
    """Yield a row for each thing that happened, after their heads."""
    yield "at_s", "event"
    for one in result.happenings:
        yield one.at_s, one.text


def figure_rows(figures: Figures) -> Iterator[Row]:
    """Yield a row for each figure, those of sites under `site.figure`."""
    yield "figure", "value"
    document = as_dict(figures)
    sites = document.pop("sites")
    yield from document.items()
    for site in sites:
        name = site.pop("name")
        for key, value in site.items():
            yield f"{name}.{key}", value
