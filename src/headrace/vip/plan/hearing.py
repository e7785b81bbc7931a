"""Whether routers hear a server, and when the feedback loop's word that it failed counts. Pure.

While a server's line is down, the loop sees it fail, and the server cannot hear that. It hears it
when its line is back and its VIPs are home, some seconds before the loop has seen that too. Such a
word is of the time before. So it counts only if it was said `LATER_S` after the server's checks
passed and its session came up: then the loop could have seen it. And only when it has stood for
`STANDS_S`: a server whose line was down for a moment may hear it before it notices that its session
was lost.

A word that counted while the server was heard counts over a loss of its sessions, until the loop
takes it back: another one than the line was its reason. A line that comes and goes brings no such
respite each time: then the loop, which sees all of it, is believed at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from headrace.bgp.announcement import Family
from headrace.damping import NO_FLAPS, DampingRules, Flaps, decayed, flapped

LATER_S = 15.0
"""A loop with probes each second sees within six that a server is back."""

STANDS_S = 8.0
"""It says it for no longer of a failure that is over."""

JOINS_S = 3.0
"""Neighbours that ask each second know by then what a server announces, and the rules for what they
pass on to it are made. The second neighbour waits twice as long, and so on: of servers that start
within that time of each other the better one is ready first, and a VIP does not go to and fro."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """Whether a session of a family is up (`up_since`: since that Unix time), and how often that
    ended lately, as of `at`. `counted`: the loop's word counted when the last plan was made.
    """

    up_since: float | None = None
    flaps: Flaps = NO_FLAPS
    at: float = 0.0
    told_since: float | None = None
    counted: bool = False


UNHEARD = Hearing()


def next_hearings(
    before: Mapping[Family, Hearing],
    up: Collection[Family],
    rules: DampingRules,
    now: float,
    *,
    told: bool,
) -> dict[Family, Hearing]:
    """Return how each family is heard, while sessions of some are up at a Unix time. `told`: the
    view says that the server failed.
    """
    return {
        one: _next(before.get(one, UNHEARD), rules, now, is_up=one in up, told=told)
        for one in Family
    }


def _next(before: Hearing, rules: DampingRules, now: float, *, is_up: bool, told: bool) -> Hearing:
    set_back_s = max(0.0, before.at - now)
    flaps = decayed(before.flaps, max(0.0, now - before.at), rules)
    if before.up_since is not None and not is_up:
        flaps = flapped(flaps, rules)
    return Hearing(
        _since(before.up_since, set_back_s, now, holds=is_up),
        flaps,
        now,
        _since(before.told_since, set_back_s, now, holds=told),
        before.counted,
    )


def _since(before: float | None, set_back_s: float, now: float, *, holds: bool) -> float | None:
    """Return since when something holds. Where the clock was set back it is as old as it was: else
    a server that has had a neighbour's VIP for hours would leave it like one that has just begun.
    """
    if not holds:
        return None
    return now if before is None else before - set_back_s


def joins(hearing: Hearing | None, rank: int, now: float) -> bool:
    """Return whether routers hear a server of that rank since a moment ago only, or not yet.
    Without a hearing, they have heard it all the time. An owner does not wait.
    """
    if hearing is None or rank == 0:
        return False
    return hearing.up_since is None or now - hearing.up_since < rank * JOINS_S


def counts(hearing: Hearing | None, sound_for_s: float, view_age_s: float, now: float) -> bool:
    """Return whether it counts that a view of that age says a server failed, which has been sound
    by its own checks for a while. Without a hearing, routers have heard it all the time.
    """
    if sound_for_s - view_age_s < LATER_S:
        return False
    if hearing is None or hearing.counted or hearing.flaps.suppressed:
        return True
    if hearing.up_since is None or hearing.told_since is None:
        return False
    stands = now - hearing.told_since >= STANDS_S
    return stands and now - hearing.up_since - view_age_s >= LATER_S
