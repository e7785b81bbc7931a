"""What changed, and why: the last events, for people who ask."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import structlog

MOST = 1000
DETAIL_LETTERS = 300
"""Others choose what stands there, so no more of it is kept."""

log = structlog.get_logger("headrace.vip")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed at a Unix time: what, of which VIP or router, and why."""

    at: float
    kind: str
    about: str = ""
    detail: str = ""


class Events:
    """The last ones, in order. Each is logged too."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=MOST)

    def add(self, event: Event) -> None:
        """Keep and log one."""
        if len(event.detail) > DETAIL_LETTERS:
            event = replace(event, detail=event.detail[:DETAIL_LETTERS])
        self._kept.append(event)
        log.info(event.kind, about=event.about, detail=event.detail)

    def last(self, limit: int, about: str = "") -> list[Event]:
        """Return the last ones, the newest first."""
        found = [one for one in reversed(self._kept) if about in ("", one.about)]
        return found[:limit]
