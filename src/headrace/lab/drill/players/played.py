"""What a player did, judged: whether it failed for good, stood still, and for how long. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

STALL_S = 1.0
"""A player that shows nothing new for so long has stalled."""
AGAIN_WITHIN_S = 15.0
"""And one that does not begin again so long after the run plays no more."""


class Played(msgspec.Struct, frozen=True):
    """What a player came to in a run. `longest_s` is the longest time without anything new from
    the event on; `pieces` what came, packets or segments, `since` those after the event; `errors`
    what it complained about and lived with.
    """

    player: str
    client: str
    vip: str
    fatal: list[str]
    stalls: int
    longest_s: float
    pieces: int
    since: int
    missing: int
    damaged: int
    errors: int


def gaps_s(moments_s: Sequence[float], event_s: float, ended_s: float) -> list[float]:
    """Return the times without anything new that ended after the event, the last one at the end of
    the run, or when something came again.
    """
    after = [*moments_s] if moments_s and moments_s[-1] >= ended_s else [*moments_s, ended_s]
    return [late - early for early, late in itertools.pairwise(after) if late >= event_s]


def plays_on(moments_s: Sequence[float], ended_s: float) -> bool:
    """Return whether a player plays when a run ends, or has begun again since."""
    return bool(moments_s) and moments_s[-1] >= ended_s - STALL_S
