"""The plots of a simulation, as values: lines over time, no more points than one sees. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from headrace.simulate.engine import Result
from headrace.simulate.tally import SiteSeries
from headrace.topology.model import SiteKind

MOST_POINTS = 1500
MOST_LINES = 12
_SMALLEST_RATE = 1e-9


class Line(msgspec.Struct, frozen=True):
    """A line: None where there is nothing to show."""

    name: str
    values: list[float | None]


class Mark(msgspec.Struct, frozen=True):
    """Something that happened."""

    at_s: float
    text: str


class Chart(msgspec.Struct, frozen=True):
    """A plot. `unit` says how its numbers are written: `bit/s`, `%`, `s`, or "" for plain ones.
    `limit` is a line across it.
    """

    title: str
    about: str
    unit: str
    lines: list[Line]
    limit: float | None = None


class Plots(msgspec.Struct, frozen=True):
    """All plots of a simulation, over the same times."""

    at_s: list[float]
    marks: list[Mark]
    charts: list[Chart]


def plots_of(result: Result) -> Plots:
    """Return the plots."""
    series = result.series
    count = len(series.at_s)
    thin = Thinning(count)
    sites = list(series.sites.values())
    edges = [one for one in sites if one.kind is SiteKind.EDGE]
    busiest = sorted(edges, key=lambda one: (-max(one.load(), default=0.0), one.site))
    shown = busiest[:MOST_LINES]
    served = [one.clients_bps for one in sites if one.kind is not SiteKind.MID]
    demand = [math.fsum(of_all) for of_all in zip(*served, strict=True)] if served else []
    targets = {one.target for one in shown}
    charts = [
        Chart(
            "Bytes to clients, and from origins",
            "What all sites send to clients together, and what origins send to servers.",
            "bit/s",
            [
                Line("to clients", thin.means(demand)),
                Line("from origins", thin.means(series.origin_bps)),
            ],
        ),
        Chart(
            "Load of sites",
            _about_sites(len(edges)),
            "%",
            [Line(one.site, thin.peaks(one.load())) for one in shown],
            targets.pop() if len(targets) == 1 else None,
        ),
        Chart(
            "Fullest server of each site",
            "The share of what it can send that the fullest server of a site sends.",
            "%",
            [Line(one.site, thin.peaks(one.fullest)) for one in shown],
        ),
        Chart(
            "Hits",
            "The share of requests that a server of each tier answers from its own store.",
            "%",
            [
                Line("edge sites", thin.ratios(*_sums(edges))),
                *_mid(thin, [one for one in sites if one.kind is SiteKind.MID]),
            ],
        ),
        Chart(
            "Viewers who wait",
            "The share of what is played that comes late, since something is above what it can "
            "send; and requests in vain beside all requests.",
            "%",
            [
                Line("late", thin.peaks(series.starved)),
                Line("in vain", thin.ratios(series.failed, series.requests)),
            ],
        ),
        Chart("Viewers", "Sessions that run.", "", [Line("viewers", thin.means(series.viewers))]),
    ]
    marks = [Mark(one.at_s, one.text) for one in result.happenings]
    return Plots(thin.firsts(series.at_s), marks, charts)


def plots_of_variants(results: Mapping[str, Result]) -> Plots:
    """Return plots with a line for each variant of a scenario, by its name."""
    first = next(iter(results.values()))
    thin = Thinning(len(first.series.at_s))

    def chart(
        title: str, about: str, unit: str, line: Callable[[Result], list[float | None]]
    ) -> Chart:
        lines = [Line(name, line(one)) for name, one in results.items()]
        return Chart(title, about, unit, lines)

    charts = [
        chart("Bytes from origins", "What origins send to servers.", "bit/s",
              lambda one: thin.means(one.series.origin_bps)),
        chart("Bytes of sites above", "What the sites above send to servers.", "bit/s",
              lambda one: thin.means(_sent_by_mid(one))),
        chart("Hits", "The share of requests that the first server answers from its store.", "%",
              lambda one: thin.ratios(one.series.hits, one.series.requests)),
        chart("Fullest site", "The load of that edge site which is the fullest.", "%",
              lambda one: thin.peaks(_fullest(one, SiteSeries.load))),
        chart("Fullest server", "The load of that server of an edge site which is the fullest.",
              "%", lambda one: thin.peaks(_fullest(one, lambda site: site.fullest))),
        chart("Late", "The share of what is played that comes late, since something is above what "
              "it can send.", "%", lambda one: thin.peaks(one.series.starved)),
        chart("In vain", "Requests in vain, beside all requests.", "%",
              lambda one: thin.ratios(one.series.failed, one.series.requests)),
    ]  # fmt: skip
    marks = [Mark(one.at_s, one.text) for one in first.happenings]
    return Plots(thin.firsts(first.series.at_s), marks, charts)


def _fullest(result: Result, load: Callable[[SiteSeries], Sequence[float]]) -> list[float]:
    edges = [one for one in result.series.sites.values() if one.kind is SiteKind.EDGE]
    return [max(loads) for loads in zip(*map(load, edges), strict=True)]


def _sent_by_mid(result: Result) -> list[float]:
    sites = [one for one in result.series.sites.values() if one.kind is SiteKind.MID]
    sent = [math.fsum(of_all) for of_all in zip(*(one.sent_bps for one in sites), strict=True)]
    return sent or [0.0] * len(result.series.at_s)


def _about_sites(count: int) -> str:
    about = "The share of what an edge site can send that it sends."
    return about if count <= MOST_LINES else f"{about} The {MOST_LINES} fullest of {count:,}."


def _mid(thin: Thinning, sites: Sequence[SiteSeries]) -> list[Line]:
    return [Line("sites above", thin.ratios(*_sums(sites)))] if sites else []


def _sums(sites: Sequence[SiteSeries]) -> tuple[list[float], list[float]]:
    """Return hits and requests of sites together."""
    hits = [math.fsum(of_all) for of_all in zip(*(one.hits for one in sites), strict=True)]
    requests = [math.fsum(of_all) for of_all in zip(*(one.requests for one in sites), strict=True)]
    return hits, requests


class Thinning:
    """Makes no more than MOST_POINTS values of any number, of each so many in a row one."""

    def __init__(self, count: int) -> None:
        self._step = max(1, -(-count // MOST_POINTS))

    def firsts(self, values: Sequence[float]) -> list[float]:
        """Return the first of each row."""
        return [float(value) for value in values[:: self._step]]

    def means(self, values: Sequence[float]) -> list[float | None]:
        """Return the mean of each row."""
        return self._each(values, lambda row: math.fsum(row) / len(row))

    def peaks(self, values: Sequence[float]) -> list[float | None]:
        """Return the highest of each row."""
        return self._each(values, max)

    def ratios(self, parts: Sequence[float], wholes: Sequence[float]) -> list[float | None]:
        """Return for each row which part is of its whole; None where there is no whole."""
        step = self._step
        found: list[float | None] = []
        for start in range(0, len(wholes), step):
            whole = math.fsum(wholes[start : start + step])
            part = math.fsum(parts[start : start + step])
            found.append(_rounded(part / whole) if whole > _SMALLEST_RATE else None)
        return found

    def _each(
        self, values: Sequence[float], of_row: Callable[[Sequence[float]], float]
    ) -> list[float | None]:
        step = self._step
        return [
            _rounded(of_row(values[start : start + step])) for start in range(0, len(values), step)
        ]


def _rounded(value: float) -> float:
    """Return a number with as many digits as a plot can show."""
    return float(f"{value:.5g}")
