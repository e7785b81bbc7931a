"""Numbers and tables as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.speed.rounds import Spread

NOTHING = "–"


def number(value: float) -> str:
    """Three digits, or all of its thousands."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def cell(found: Spread | None) -> str:
    """A median with its range."""
    if found is None:
        return NOTHING
    if found.count == 1:
        return number(found.median)
    return f"{number(found.median)} ({number(found.low)}–{number(found.high)})"


def ratio(found: Spread | None) -> str:
    """A ratio with its range, to two places."""
    if found is None:
        return NOTHING
    if found.count == 1:
        return f"{found.median:.2f}"
    return f"{found.median:.2f} ({found.low:.2f}–{found.high:.2f})"


def share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def by_size(name: str, by_peer: Mapping[str, Mapping[int, float]]) -> str:
    """A row for each peer and a column for each size that anyone reached."""
    sizes = sorted({size for found in by_peer.values() for size in found})
    rows = [
        [peer, *(number(found[size]) if size in found else NOTHING for size in sizes)]
        for peer, found in by_peer.items()
    ]
    return table([name, *(f"{size:,}" for size in sizes)], rows)


def sections(parts: Sequence[str]) -> str:
    """Those that are not empty, with a line between them."""
    return "\n\n".join(part for part in parts if part)
