"""Draws what happened as SVG: a panel for each policy, a line for each site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from bench.balance.measure import Played
from bench.balance.scenes import HAPPENS_S, UNTIL_S

WIDTH, PANEL = 760, 128
LEFT, RIGHT, TOP, GAP = 48, 150, 34, 30
HIGHEST = 1.4
COLOURS = ("#0b6e99", "#c4512d", "#5b8c2a", "#7a4fa3", "#8a6d00", "#555555")
TARGET = 0.8


def draw(title: str, played: Sequence[Played]) -> str:
    """Return the picture."""
    height = TOP + len(played) * (PANEL + GAP) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="600" fill="#222222">'
        f"{escape(title)}</text>",
    ]
    for number, one in enumerate(played):
        parts += _panel(one, TOP + number * (PANEL + GAP) + 14)
    parts.append("</svg>\n")
    return "\n".join(parts)


def _panel(played: Played, top: float) -> Iterator[str]:
    right = WIDTH - RIGHT
    yield (
        f'<text x="{LEFT}" y="{top - 4:.0f}" font-weight="600" fill="#222222">'
        f"{escape(played.policy)}</text>"
    )
    yield (
        f'<rect x="{LEFT}" y="{top:.1f}" width="{right - LEFT}" height="{PANEL}" '
        'fill="none" stroke="#cccccc"/>'
    )
    for level, colour, dash in ((TARGET, "#999999", "4 3"), (1.0, "#b00020", "2 2")):
        y = _y(level, top)
        yield (
            f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
            f'stroke-dasharray="{dash}"/>'
        )
        yield (
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{colour}">'
            f"{level:.0%}</text>"
        )
    x = _x(HAPPENS_S)
    yield (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{top + PANEL:.1f}" stroke="#dddddd"/>'
    )
    for number, (site, uses) in enumerate(played.record.used.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{_x(at_s):.1f},{_y(use, top):.1f}"
            for at_s, use in list(zip(played.record.times_s, uses, strict=True))[::3]
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
        y = top + 16 + 17 * number
        yield f'<rect x="{right + 10}" y="{y - 8:.0f}" width="12" height="3" fill="{colour}"/>'
        yield (
            f'<text x="{right + 28}" y="{y - 2:.0f}" fill="#333333">'
            f"{escape(site)}, at the end {uses[-1]:.0%}</text>"
        )
    y = top + PANEL + 12
    for at_s in range(0, int(UNTIL_S) + 1, 100):
        yield (
            f'<text x="{_x(at_s):.1f}" y="{y:.0f}" text-anchor="middle" fill="#777777" '
            f'font-size="10">{at_s} s</text>'
        )


def _x(at_s: float) -> float:
    return LEFT + at_s / UNTIL_S * (WIDTH - RIGHT - LEFT)


def _y(use: float, top: float) -> float:
    return top + PANEL * (1.0 - min(use, HIGHEST) / HIGHEST)
