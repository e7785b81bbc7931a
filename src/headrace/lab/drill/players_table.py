"""What players saw in drills as a table, for a terminal and for a page. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.lab.drill.players.played import Played
from headrace.lab.drill.summary import Summary, written_s

_HEADS = (
    "event", "player", "viewers", "failed for good", "stalls", "nothing new for", "worst",
    "pieces", "missing", "damaged", "errors",
)  # fmt: skip


def players_rows(summaries: Iterable[Summary]) -> list[tuple[str, ...]]:
    """Return the table, its head first. Empty where nobody played."""
    rows = [
        (
            summary.title,
            one.player,
            str(one.viewers),
            str(len(one.fatal)),
            str(one.stalls),
            written_s(one.longest_s),
            written_s(one.worst_s),
            str(one.pieces),
            str(one.missing),
            str(one.damaged),
            str(one.errors),
        )
        for summary in summaries
        for one in summary.watched
    ]
    return [_HEADS, *rows] if rows else []


def player_line(one: Played) -> str:
    """Return a viewer of one run in a line."""
    parts = [
        f"{one.player} of {one.client} at {one.vip}: {one.fatal[0] if one.fatal else 'played'}"
    ]
    parts.append(f"nothing new for {written_s(one.longest_s)}")
    if one.stalls:
        parts.append(f"{one.stalls} stalls")
    if one.missing or one.damaged:
        parts.append(f"{one.missing} missing and {one.damaged} damaged of {one.pieces}")
    if one.errors:
        parts.append(f"{one.errors} errors that it lived with")
    return "; ".join(parts)
