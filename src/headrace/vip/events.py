"""What changed, and why: the last events, for people who ask."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address

import structlog

from headrace.vip.plan.model import Address

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


def meant_by(about: str, routers: Iterable[tuple[str, Address]]) -> frozenset[str]:
    """Return what events call that of which somebody asks: of a router also by its name, and of an
    address however it is written. Nothing for "".
    """
    if not about:
        return frozenset()
    named = {str(address) for name, address in routers if name == about}
    with contextlib.suppress(ValueError):
        named.add(str(ip_address(about)))
    return frozenset(named or {about})


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

    def last(self, limit: int, about: Collection[str] = ()) -> list[Event]:
        """Return the last ones, the newest first: of these VIPs or routers alone, if any."""
        found = [one for one in reversed(self._kept) if not about or one.about in about]
        return found[:limit]
