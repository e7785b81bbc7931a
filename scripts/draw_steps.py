"""Draw the life of a request from the table of its steps: `python scripts/draw_steps.py`.

Writes `docs/images/steps.svg`. Each step is a box with what happens there and where the code is;
to its right go the lines to the steps after it, one colour for each step, and to its left those
that lead back up. With `--check` nothing is written, and a picture out of date is an error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parent.parent
IMAGE = ROOT / "docs" / "images" / "steps.svg"
BOX_WIDTH = 470
BOX_HEIGHT = 66
BETWEEN = 26
TOP = 16
LANE = 22
COLOURS = (
    "#0f766e", "#b45309", "#1d4ed8", "#be123c", "#6d28d9", "#15803d", "#0e7490", "#a21caf",
    "#854d0e", "#475569",
)  # fmt: skip


class Named(Protocol):
    """A member of the enum of steps."""

    @property
    def name(self) -> str:
        """Its name."""


class Row(Protocol):
    """A row of the table."""

    @property
    def step(self) -> Named:
        """The step."""

    @property
    def does(self) -> str:
        """What happens there."""

    @property
    def where(self) -> str:
        """The function that does it."""

    @property
    def next(self) -> Sequence[Named]:
        """The steps that may follow."""


def draw(
    rows: Sequence[Row], label: str = "The steps of a request, and which may follow which"
) -> str:
    """Return the picture as SVG; `label` says what it is to those who do not see it."""
    names = [row.step.name for row in rows]
    at = {name: number for number, name in enumerate(names)}
    down = {
        row.step.name: [n.name for n in row.next if at[n.name] > at[row.step.name]] for row in rows
    }
    up = {
        row.step.name: [n.name for n in row.next if at[n.name] <= at[row.step.name]] for row in rows
    }
    left = 24 + LANE * sum(1 for targets in up.values() if targets)
    width = left + BOX_WIDTH + LANE * (1 + sum(1 for targets in down.values() if targets)) + 24
    height = TOP + len(rows) * (BOX_HEIGHT + BETWEEN)
    lines = [
        *_sides(names, down, left + BOX_WIDTH, LANE),
        *_sides(names, up, left, -LANE),
    ]
    boxes = [part for number, row in enumerate(rows) for part in _box(row, left, _top(number))]
    markers = "".join(
        f'<marker id="m{number}" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>'
        for number, colour in enumerate(COLOURS)
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img" '
        f'aria-label="{escape(label)}">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/><defs>{markers}</defs>'
    return "\n".join([head, ground, *lines, *boxes, "</svg>"]) + "\n"


def _top(number: int) -> int:
    return TOP + number * (BOX_HEIGHT + BETWEEN)


def _box(row: Row, x: int, y: int) -> list[str]:
    return [
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="#f0fdfa" '
        'stroke="#0f766e"/>',
        f'<text x="{x + 14}" y="{y + 21}" font-weight="600" font-size="14" fill="#134e4a">'
        f"{escape(row.step.name)}</text>",
        f'<text x="{x + 14}" y="{y + 39}" fill="#334155">{escape(row.does)}</text>',
        f'<text x="{x + 14}" y="{y + 56}" fill="#64748b" font-family="ui-monospace, monospace" '
        f'font-size="11">{escape(row.where)}</text>',
    ]


def _sides(names: Sequence[str], targets: dict[str, list[str]], edge: int, lane: int) -> list[str]:
    """Return the lines on one side: each step has a lane of its own, from which arrows branch."""
    sources = [name for name in names if targets[name]]
    ports: dict[str, list[str]] = {name: [] for name in names}
    for source in sources:
        ports[source].append(source)
        for target in targets[source]:
            ports[target].append(source)
    for name in names:  # what comes from above enters above, and what leaves leaves below
        ports[name].sort(key=lambda source: (source == name, names.index(source)))

    def y_of(name: str, source: str) -> float:
        place = ports[name].index(source) + 1
        return _top(names.index(name)) + BOX_HEIGHT * place / (len(ports[name]) + 1)

    parts = []
    for number, source in enumerate(sources):
        x = edge + lane * (number + 1)
        which = names.index(source) % len(COLOURS)
        line = f'fill="none" stroke="{COLOURS[which]}" stroke-width="1.5"'
        begin = y_of(source, source)
        for target in targets[source]:
            end = y_of(target, source)
            parts.append(
                f'<path d="M{edge},{begin:.1f} H{x} V{end:.1f} H{edge + (1 if lane > 0 else -1)}" '
                f'{line} marker-end="url(#m{which})"/>'
            )
            parts.append(f'<circle cx="{x}" cy="{end:.1f}" r="2" fill="{COLOURS[which]}"/>')
    return parts


def main() -> int:
    """Write the picture, or say that it is out of date."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("--check", action="store_true", help="write nothing")
    asked = line.parse_args()
    from headrace.edge.request.steps import STEPS

    text = draw(STEPS)
    if not asked.check:
        IMAGE.write_text(text)
    elif not IMAGE.exists() or IMAGE.read_text() != text:
        print(f"{IMAGE.relative_to(ROOT)} is out of date: run make pictures")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
