"""From figures to a report: medians, spread, ratios. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Figures = Mapping[str, Sequence[float]]
"""Figures of one work by peer, one for each round."""


@dataclass(frozen=True, slots=True)
class Line:
    """One work's outcome. `targets` says which of them hold."""

    title: str
    unit: str
    more_is_better: bool
    figures: Figures
    failures: Mapping[str, str]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio(line: Line, one: str, other: str) -> float | None:
    """How much better `one` is than `other` (1.0: alike), whichever way is up."""
    if not line.figures.get(one) or not line.figures.get(other):
        return None
    mine, theirs = median(line.figures[one]), median(line.figures[other])
    if not mine or not theirs:
        return None
    return mine / theirs if line.more_is_better else theirs / mine


def best_peer(line: Line, own: str) -> str | None:
    """The best of the others."""
    others = [name for name, values in line.figures.items() if name != own and values]
    others = [name for name in others if name != "ceiling"]
    if not others:
        return None
    choose = max if line.more_is_better else min
    return choose(others, key=lambda name: median(line.figures[name]))


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def cell(values: Sequence[float]) -> str:
    """A median with its spread."""
    if not values:
        return "–"
    if len(values) == 1:
        return number(values[0])
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def table(lines: Sequence[Line], peers: Sequence[str], own: str) -> str:
    """The comparison as a Markdown table: medians, spread in brackets, and two ratios."""
    head = ["work", "unit", *peers, f"{own} : best other", f"{own} : nginx"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in lines:
        cells = [line.title, line.unit]
        cells += [cell(line.figures.get(peer, ())) for peer in peers]
        best = best_peer(line, own)
        against_best = ratio(line, own, best) if best is not None else None
        cells.append("–" if against_best is None else f"**{against_best:.2f}** ({best})")
        against_nginx = ratio(line, own, "nginx")
        cells.append("–" if against_nginx is None else f"{against_nginx:.2f}")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def failures(lines: Sequence[Line]) -> str:
    """What could not be measured, and why, as a Markdown list."""
    items = [
        f"- {line.title}, {peer}: {reason}"
        for line in lines
        for peer, reason in line.failures.items()
    ]
    return "\n".join(items) if items else "Nothing."
