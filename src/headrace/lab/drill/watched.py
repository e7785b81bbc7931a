"""What players saw in all runs of a drill, a row for each kind of them. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from headrace.lab.drill.players.played import Played


class Watched(msgspec.Struct, frozen=True):
    """A kind of player: `longest_s` is the median of the runs' longest times without anything new;
    counts are of the worst viewer in any run, `pieces` and `damaged` the sums of all.
    """

    player: str
    viewers: int
    fatal: list[str]
    stalls: int
    longest_s: float
    worst_s: float
    pieces: int
    missing: int
    damaged: int
    errors: int


def watched(runs: Iterable[Sequence[Played]]) -> list[Watched]:
    """Return the rows."""
    by_player: dict[str, list[list[Played]]] = {}
    for run in runs:
        for player in dict.fromkeys(one.player for one in run):
            those = [one for one in run if one.player == player]
            by_player.setdefault(player, []).append(those)
    return [_row(player, those) for player, those in by_player.items()]


def _row(player: str, runs: Sequence[Sequence[Played]]) -> Watched:
    every = [one for run in runs for one in run]
    longest_s = [max(one.longest_s for one in run) for run in runs]
    return Watched(
        player=player,
        viewers=len(every),
        fatal=[
            f"{player} of {one.client} at {one.vip}: {what}" for one in every for what in one.fatal
        ],
        stalls=max(one.stalls for one in every),
        longest_s=statistics.median(longest_s),
        worst_s=max(longest_s),
        pieces=sum(one.pieces for one in every),
        missing=max(one.missing for one in every),
        damaged=sum(one.damaged for one in every),
        errors=max(one.errors for one in every),
    )
