"""The results of drills as a picture: each run a dot, the median a stroke, the hope a mark.

Pure.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.lab.drill.summary import written_s

WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 860, 300, 40, 50, 34, 40
_LEAST_S, _MOST_S = 0.005, 100.0
_INK, _SOFT, _GRID, _DOT, _HOPE = "#24292f", "#57606a", "#d8dde3", "#3b7dd8", "#d9632b"


@dataclass(frozen=True, slots=True)
class Row:
    """A drill: how long it took in each run (None: never), and what was hoped for."""

    title: str
    times_s: Sequence[float | None]
    median_s: float | None
    hoped_s: float | None


def picture(title: str, rows: Sequence[Row]) -> str:
    """Return an SVG document. Times are on a scale of powers of ten."""
    height = _TOP + _ROW * len(rows) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff" rx="6"/>',
        f'<text x="16" y="24" font-size="14" fill="{_INK}">{html.escape(title)}</text>',
        *_scale(height),
    ]
    for number, row in enumerate(rows):
        parts += _row(row, _TOP + _ROW * number + _ROW / 2)
    return "\n".join([*parts, "</svg>"]) + "\n"


def x_of(time_s: float) -> float:
    """Return where a time is."""
    share = math.log(min(max(time_s, _LEAST_S), _MOST_S) / _LEAST_S) / math.log(_MOST_S / _LEAST_S)
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)


def _scale(height: int) -> Iterator[str]:
    for time_s in (0.01, 0.1, 1.0, 10.0, 100.0):
        x = x_of(time_s)
        yield _line(x, _TOP - 8, x, height - _BOTTOM, _GRID, 1)
        yield (
            f'<text x="{x:g}" y="{height - _BOTTOM + 18}" text-anchor="middle" fill="{_SOFT}">'
            f"{time_s:g} s</text>"
        )


def _row(row: Row, y: float) -> Iterator[str]:
    yield (
        f'<text x="{_LEFT - 12}" y="{y + 4:g}" text-anchor="end" fill="{_INK}">'
        f"{html.escape(row.title)}</text>"
    )
    for time_s in row.times_s:
        x, colour = (WIDTH - _RIGHT / 2, _HOPE) if time_s is None else (x_of(time_s), _DOT)
        yield (
            f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="{colour}" fill-opacity="0.45">'
            f"<title>{written_s(time_s)}</title></circle>"
        )
    if row.median_s is not None:
        x = x_of(row.median_s)
        yield _line(x, y - 10, x, y + 10, _INK, 2)
    if row.hoped_s is not None:
        x = x_of(row.hoped_s)
        yield _line(x, y - 13, x, y + 13, _HOPE, 2)


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, width: int) -> str:
    return (
        f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )
