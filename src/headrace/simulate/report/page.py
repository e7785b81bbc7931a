"""One HTML file with a simulation's figures and plots, which needs no network to be read."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import msgspec

from headrace.simulate.comparison import beside_each_other
from headrace.simulate.engine import Result
from headrace.simulate.figures import Figures
from headrace.simulate.report.charts import Plots, plots_of, plots_of_variants
from headrace.simulate.summary import money, percent, rate, span, summary_rows


def page(result: Result, figures: Figures) -> str:
    """Return the page."""
    sites = f"<h2>Sites</h2>\n{_table(_SITE_HEADS, _site_rows(figures))}"
    return _page(result.title, _table((), summary_rows(figures)), plots_of(result), sites)


def page_of_variants(results: Mapping[str, Result], figures: Mapping[str, Figures]) -> str:
    """Return a page with the variants of a scenario beside each other."""
    heads, *rows = beside_each_other(figures)
    title = next(iter(results.values())).title
    return _page(title, _table(heads, rows), plots_of_variants(results), "")


def _page(title: str, totals: str, plots: Plots, more: str) -> str:
    return _PAGE.format(
        title=html.escape(title or "Simulation"),
        style=_file("report.css"),
        totals=totals,
        more=more,
        # The data stand in an element of script: nothing in them may end it.
        data=msgspec.json.encode(plots).decode().replace("<", "\\u003c"),
        script=_file("report.js"),
    )


_SITE_HEADS = (
    "site", "kind", "peak", "load", "mean load", "fullest server", "above target",
    "above capacity", "hits", "cost",
)  # fmt: skip


def _site_rows(figures: Figures) -> Iterable[Sequence[str]]:
    for one in sorted(figures.sites, key=lambda one: -one.peak_load):
        yield (
            one.name, one.kind, rate(one.peak_bps), percent(one.peak_load), percent(one.mean_load),
            percent(one.fullest_server), span(one.above_target_s), span(one.above_capacity_s),
            percent(one.hit_ratio), money(one.cost) if one.cost else "-",
        )  # fmt: skip


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
{totals}
<p class="help">Drag over a plot to zoom into all of them; double-click to see everything again.
Click a name to hide its line.</p>
<div id="plots"></div>
{more}
<script id="data" type="application/json">{data}</script>
<script>
{script}</script>
</body>
</html>
"""
