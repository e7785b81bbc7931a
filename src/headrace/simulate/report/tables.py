"""A simulation as CSV: by interval, by site and interval, and the figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from headrace.simulate.engine import Result
from headrace.simulate.figures import Figures, as_dict
from headrace.simulate.report.files import check_directory, write_files

Row = Sequence[str | float | int]


def write_tables(directory: Path, result: Result, figures: Figures) -> None:
    """Write `network.csv`, `sites.csv`, `events.csv` and, last of all, `figures.csv`: where that
    is, all are of one run. Raises UnwritableOutput.
    """
    check_directory(directory)
    write_files(
        {
            directory / "network.csv": _text(network_rows(result)),
            directory / "sites.csv": _text(site_rows(result)),
            directory / "events.csv": _text(event_rows(result)),
            directory / "figures.csv": _text(figure_rows(figures)),
        }
    )


def _text(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


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
