"""What the supervisor asks its workers for those who watch live, and what those answer.

It asks for the next lines when the last ones are delivered, so that a slow follower costs a worker
its bounded queue and the channel nothing.
"""

from __future__ import annotations

import msgspec

from headrace.telemetry.watch import Figures, Followed


class Follow(msgspec.Struct, tag="follow"):
    """Answer Lines: what waits for this follower, who begins with the first of these."""

    follower: int
    filter: str
    lines_per_s: int
    sample: float


class Leave(msgspec.Struct, tag="leave"):
    """This follower is gone. No answer."""

    follower: int


class GetFigures(msgspec.Struct, tag="get_figures"):
    """Answer Seen: the figures since the last of these."""


LiveQuestion = Follow | Leave | GetFigures


class Lines(msgspec.Struct):
    """In answer to Follow."""

    followed: Followed


class Seen(msgspec.Struct):
    """In answer to GetFigures. `connections` are the clients with most of them, by what may be
    shown of their addresses; `unlisted` are the connections of all others."""

    figures: Figures
    connections: dict[str, int]
    unlisted: int
