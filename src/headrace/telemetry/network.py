"""What a node reports of the network that it belongs to."""

from __future__ import annotations

from typing import Literal

import msgspec

STATES_NOT_ONLINE = ("draining", "full", "failed")


class ViewFacts(msgspec.Struct):
    """The view in force. `aged` is how far it has gone toward the description: 0 not, 1 wholly.

    `not_online` are the servers of the description that the view has another state for than
    `online`, by name; when it has aged, full ones are none of them.
    """

    version: int
    made_at: float
    age_s: float
    source: str
    taken_at: float
    aged: float
    not_online: dict[str, str] = {}


class LearntFacts(msgspec.Struct):
    """Coverage that is learnt: prefixes by coverage; how many a server said that are not taken and
    one of each kind; what is wrong, by server or coverage.
    """

    prefixes: dict[str, int]
    refused: dict[str, int]
    first_refused: dict[str, str]
    problems: dict[str, str]


class NetworkFacts(msgspec.Struct):
    """The description in force and what was refused since the start. Times in Unix seconds.

    `version` is a hash of what the description says; `server` is who the node is in it.
    `last_good_kept` is whether it is on disk for the next start. `workers_behind` have not said yet
    that they work by the newest description and view. `file_refused`: what is in the file now is
    not what is in force, for it was refused.
    """

    version: str
    source: Literal["file", "last_good"]
    since: float
    server: str | None
    last_good_kept: bool
    refused: int
    last_refusal: str
    last_refused_at: float | None
    workers_behind: int
    view: ViewFacts | None
    views_refused: dict[str, int]
    last_view_refusal: str
    file_refused: bool = False
    learnt: LearntFacts | None = None
