"""What a player did, judged: whether it failed for good, stood still, and for how long. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import msgspec

STALL_S = 1.0
"""A player that shows nothing new for so long has stalled."""
PLAYS_ON_S = 5.0
"""And one that got nothing for so long at the end does not play any more."""


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


def gaps_s(moments_s: Iterable[float], event_s: float, ended_s: float) -> list[float]:
    """Return the times without anything new that ended after the event, the last one at the end."""
    after = [*(at_s for at_s in moments_s if at_s < ended_s), ended_s]
    return [late - early for early, late in itertools.pairwise(after) if late >= event_s]


def stands_still(moments_s: Sequence[float], ended_s: float) -> str | None:
    """Return how long a player had got nothing in the end, in words, where that was too long."""
    still_s = ended_s - (moments_s[-1] if moments_s else 0.0)
    return f"nothing came for the last {still_s:.1f} s" if still_s > PLAYS_ON_S else None
