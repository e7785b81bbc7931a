"""A plot as an SVG picture, for pages that are written once. Pure."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence

from headrace.simulate.report.charts import Chart, Line, Mark, Plots
from headrace.simulate.summary import clock

WIDTH, HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 34, 56
_COLOURS = (
    "#3b7dd8", "#d9632b", "#2f9e5b", "#a24bc4", "#c79a1a", "#cf3f5c", "#3aa6b0", "#7a6ad6",
    "#8a8f3a", "#b0672f", "#5c7f99", "#c2569b",
)  # fmt: skip
_INK, _SOFT, _GRID, _MARK = "#24292f", "#57606a", "#d8dde3", "#9a6700"
_TIMES_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400)
_MOST_TIMES = 9


def picture(plots: Plots, chart: Chart) -> str:
    """Return one of the plots as an SVG document."""
    frame = _Frame(plots.at_s, chart)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff" rx="6"/>',
        f'<text x="{_LEFT}" y="20" font-size="14" fill="{_INK}">{html.escape(chart.title)}</text>',
        *_grid(frame, chart),
        *_marks(frame, plots.marks),
        *(_line(frame, line, number) for number, line in enumerate(chart.lines)),
        *_legend(chart.lines),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Frame:
    """Where times and values are in the picture."""

    def __init__(self, at_s: Sequence[float], chart: Chart) -> None:
        self.at_s = at_s
        self.from_s = at_s[0] if at_s else 0.0
        step_s = at_s[1] - at_s[0] if len(at_s) > 1 else 1.0
        self.until_s = (at_s[-1] if at_s else 0.0) + step_s
        values = [value for line in chart.lines for value in line.values if value is not None]
        self.top = max([*values, chart.limit or 0.0], default=0.0) * 1.05 or 1.0

    def x(self, at_s: float) -> float:
        """Return where a time is."""
        share = (at_s - self.from_s) / (self.until_s - self.from_s)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """Return where a value is."""
        return round(HEIGHT - _BOTTOM - value / self.top * (HEIGHT - _TOP - _BOTTOM), 1)


def _grid(frame: _Frame, chart: Chart) -> Iterator[str]:
    for value in _steps(frame.top):
        y = frame.y(value)
        yield _segment(_LEFT, y, WIDTH - _RIGHT, y, _GRID)
        yield _text(_LEFT - 8, y + 4, written(value, chart.unit), "end")
    for at_s in _times(frame.from_s, frame.until_s):
        yield _text(frame.x(at_s), HEIGHT - _BOTTOM + 18, clock(at_s), "middle")
    if chart.limit is not None:
        y = frame.y(chart.limit)
        yield _segment(_LEFT, y, WIDTH - _RIGHT, y, _SOFT, "6 4")


def _marks(frame: _Frame, marks: Sequence[Mark]) -> Iterator[str]:
    for mark in marks:
        x = frame.x(mark.at_s)
        if _LEFT <= x <= WIDTH - _RIGHT:
            title = f"<title>{html.escape(f'{clock(mark.at_s)} {mark.text}')}</title>"
            yield f"<g>{title}{_segment(x, _TOP, x, HEIGHT - _BOTTOM, _MARK, '2 3')}</g>"


def _line(frame: _Frame, line: Line, number: int) -> str:
    """Return a line; it is broken where there is no value."""
    path, begun = [], False
    for at_s, value in zip(frame.at_s, line.values, strict=True):
        if value is None:
            begun = False
            continue
        path.append(f"{'L' if begun else 'M'}{frame.x(at_s):g} {frame.y(value):g}")
        begun = True
    colour = _COLOURS[number % len(_COLOURS)]
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _legend(lines: Sequence[Line]) -> Iterator[str]:
    x = float(_LEFT)
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<rect x="{x:g}" y="{HEIGHT - 20}" width="14" height="3" fill="{colour}"/>'
        yield _text(x + 20, HEIGHT - 14, line.name, "start")
        x += 44 + 7 * len(line.name)


def _segment(x: float, y: float, to_x: float, to_y: float, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke="{colour}"{dashed}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{_SOFT}">'
        f"{html.escape(text)}</text>"
    )


def _steps(top: float) -> list[float]:
    """Return about five round values from 0."""
    rough = top / 5
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [number * size for number in range(int(top / size) + 1)]


def _times(from_s: float, until_s: float) -> list[float]:
    size = next(
        (one for one in _TIMES_S if (until_s - from_s) / one <= _MOST_TIMES), 7 * _TIMES_S[-1]
    )
    first = math.ceil(from_s / size)
    return [number * size for number in range(first, int(until_s / size) + 1)]


def written(value: float, unit: str) -> str:
    """Return a value with its unit."""
    if unit == "%":
        return f"{100 * value:g} %"
    for prefix in ("", "k", "M", "G", "T"):
        if abs(value) < 1000:
            return f"{value:g} {prefix}{unit}".rstrip()
        value /= 1000
    return f"{value:g} P{unit}"
