"""The report of drills: a table, a page with a picture, and JSON with every run. Writes files."""

from __future__ import annotations

import html
import platform
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from headrace.lab.drill.picture import Row, picture
from headrace.lab.drill.players_table import players_rows
from headrace.lab.drill.series import Drilled
from headrace.lab.drill.tables import (
    HEADS,
    failure_lines,
    load_lines,
    lost_lines,
    markdown_table,
    marked_down,
    row,
)
from headrace.lab.errors import LabError

REPORT_FILE = "drills.json"
_TITLE = "New connections work again after"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#24292f}"
    "table{border-collapse:collapse}td,th{padding:.2rem .6rem;border-bottom:1px solid #d8dde3;"
    "text-align:right}td{white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left;white-space:normal}"
)


class Report(msgspec.Struct, frozen=True):
    """All that were run, and on what."""

    machine: str
    cpus: int
    drills: list[Drilled]


def machine() -> str:
    """Return the kernel and Python that it ran on."""
    return f"Linux {platform.release()}, Python {platform.python_version()}"


def rows_of(drills: Sequence[Drilled]) -> list[Row]:
    """Return the picture's rows."""
    return [
        Row(
            one.summary.title,
            [run.works_again_s for run in one.runs if not run.refused],
            one.summary.works_again.median_s,
            one.hoped_s,
        )
        for one in drills
    ]


def read_report(directory: Path | None) -> Report | None:
    """Return the report of a series that is to be continued; None if the directory has none.
    Raises LabError.
    """
    if directory is None:
        raise LabError("--continue needs --output: the directory of the series to continue")
    path = directory / REPORT_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise LabError(
            f"{path}: {error}: name another directory, or leave out --continue"
        ) from None


def write_report(directory: Path, report: Report) -> list[Path]:
    """Write `drills.json`, `drills.md`, `drills.svg` and `drills.html`. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    summaries = [one.summary for one in report.drills]
    svg = picture(_TITLE, rows_of(report.drills))
    players = players_rows(summaries)
    tables = [*markdown_table(summaries), *(("", *marked_down(players)) if players else ())]
    written = {
        REPORT_FILE: msgspec.json.format(msgspec.json.encode(report), indent=1).decode(),
        "drills.md": "\n".join([*tables, *_noted(report.drills)]).rstrip() + "\n",
        "drills.svg": svg,
        "drills.html": page(report, svg),
    }
    for name, text in written.items():
        # Whole or not at all: a series may be interrupted just now.
        new = directory / f"{name}.new"
        new.write_text(text)
        new.replace(directory / name)
    return [directory / name for name in written]


def page(report: Report, svg: str) -> str:
    """Return the page: the picture, the table, and the load of each server."""
    heads = "".join(f"<th>{html.escape(one)}</th>" for one in HEADS)
    rows = [
        "".join(f"<td>{html.escape(cell)}</td>" for cell in row(one.summary))
        for one in report.drills
    ]
    loads = [
        f"<h3>{html.escape(one.summary.title)}</h3><p>"
        + "<br>".join(html.escape(line) for line in _told(one))
        + "</p>"
        for one in report.drills
    ]
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    players = players_rows(one.summary for one in report.drills)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Drills</title>'
        f"<style>{_STYLE}</style></head><body><h1>Drills</h1><p>{html.escape(report.machine)}, "
        f"{report.cpus} processors. Dots are runs, strokes medians, orange marks what was hoped "
        f"for.</p>{svg}<table><tr>{heads}</tr>{body}</table>"
        f"{_players(players)}<h2>Drill by drill</h2>"
        f"{''.join(loads)}</body></html>\n"
    )


def _noted(drills: Iterable[Drilled]) -> Iterator[str]:
    """Yield what is to be known of runs beside their figures, as Markdown."""
    for one in drills:
        if lines := _notes(one):
            yield from ("", f"{one.summary.title}:", "", *(f"- {line}" for line in lines))


def _told(one: Drilled) -> list[str]:
    return [*load_lines(one.runs), *_notes(one)]


def _notes(one: Drilled) -> list[str]:
    """Return what the lab did by itself, what failed where it was little, and what was missed."""
    few = [
        f"run {number}: {line}"
        for number, run in enumerate(one.runs, 1)
        for line in failure_lines(run)
    ]
    return [*lost_lines(one.runs), *few, *one.summary.missed]


def _players(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in cells) for cells in rows)
    return f"<h2>Players</h2><table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
