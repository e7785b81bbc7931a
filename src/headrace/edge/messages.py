"""What the edge's admin operations ask its workers, and what those answer.

The supervisor asks for the next lines when the last ones are delivered, so that a slow follower
costs a worker its bounded queue and the channel nothing.
"""

from __future__ import annotations

import msgspec

from headrace.telemetry.not_stored import NotStored
from headrace.telemetry.watch import Figures, Followed
from headrace.telemetry.worker_load import GetLoad


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


class GetReasons(msgspec.Struct, tag="get_reasons"):
    """Answer ReasonsAre: why responses of these keys (by their hashes) were not stored lately."""

    key_hashes: list[bytes]


Question = Follow | Leave | GetFigures | GetReasons | GetLoad

_decoder: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)


def read_question(raw: msgspec.Raw) -> Question:
    """Return the question. Raises msgspec.DecodeError on an unknown one."""
    return _decoder.decode(raw)


class Lines(msgspec.Struct):
    """In answer to Follow."""

    followed: Followed


class Seen(msgspec.Struct):
    """In answer to GetFigures. `connections` are the clients with most of them, by what may be
    shown of their addresses; `unlisted` are the connections of all others."""

    figures: Figures
    connections: dict[str, int]
    unlisted: int


class ReasonsAre(msgspec.Struct):
    """In answer to GetReasons, in the order of its keys."""

    reasons: list[list[NotStored]]
