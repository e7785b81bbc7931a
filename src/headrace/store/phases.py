"""How far a part has come, as its control block says it."""

from __future__ import annotations

import enum


class PartPhase(enum.IntEnum):
    """How far a part has come. The last three are final."""

    WAITING_HEAD = 0
    BODY = 1
    COMPLETE = 2
    FAILED = 3
    UNCACHEABLE = 4


FINAL = frozenset({PartPhase.COMPLETE, PartPhase.FAILED, PartPhase.UNCACHEABLE})
