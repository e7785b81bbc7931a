"""Routes of a router over time: who a VIP went to, and when that changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

import msgspec


class Move(msgspec.Struct, frozen=True, array_like=True):
    """A VIP's route as it is from a time on. `server` is empty where there is none."""

    at_s: float
    vip: str
    server: str


@dataclass(frozen=True, slots=True)
class Route:
    """What the kernel said: a route to a prefix, there or gone. `via` is the next hop."""

    prefix: IPv4Network | IPv6Network
    via: str
    gone: bool


class Routes:
    """The routes of one router to `vips` as they are told. A router replaces a route by adding the
    new one and removing the old, or the other way round: what counts is who is left. Of several
    prefixes with a VIP in it, the longest counts.
    """

    def __init__(self, servers: dict[str, str], vips: Iterable[str]) -> None:
        self._servers = servers
        self._vips = {ip_address(vip): vip for vip in vips}
        self._vias: dict[IPv4Network | IPv6Network, list[str]] = {}
        self._now: dict[str, str] = {}
        self.moves: list[Move] = []

    def heard(self, route: Route, at_s: float) -> None:
        """Take one message of the kernel."""
        vias = self._vias.setdefault(route.prefix, [])
        if route.via in vias:
            vias.remove(route.via)
        if route.gone:
            if not route.via:
                vias.clear()
        else:
            vias.append(route.via)
        self._note(route.prefix, at_s)

    def replaced(self, route: Route, at_s: float) -> None:
        """Take a message that says of a route that it stands in place of all others."""
        self._vias[route.prefix] = [route.via]
        self._note(route.prefix, at_s)

    def _note(self, prefix: IPv4Network | IPv6Network, at_s: float) -> None:
        for address, vip in self._vips.items():
            if address not in prefix:
                continue
            found = [one for one, vias in self._vias.items() if vias and address in one]
            best = max(found, key=lambda one: one.prefixlen, default=None)
            via = self._vias[best][-1] if best is not None else ""
            if via != self._now.get(vip, ""):
                self._now[vip] = via
                self.moves.append(Move(at_s, vip, self._servers.get(via, via)))

    def now(self) -> dict[str, str]:
        """Return which server each VIP goes to."""
        return {vip: self._servers.get(via, via) for vip, via in self._now.items() if via}


def at(moves: Iterable[Move], vip: str, when_s: float) -> str:
    """Return the server that a VIP goes to at a time; `moves` are in order."""
    found = ""
    for move in moves:
        if move.at_s > when_s:
            break
        if move.vip == vip:
            found = move.server
    return found


def left_owner_s(moves: Iterable[Move], vip: str, owner: str, event_s: float) -> float | None:
    """Return how long after an event a VIP went to another server than its owner for the first
    time: a moment without any does not count. None if that never happened.
    """
    for move in moves:
        if move.at_s >= event_s and move.vip == vip and move.server not in ("", owner):
            return move.at_s - event_s
    return None


def back_s(moves: list[Move], vip: str, owner: str, healed_s: float) -> float | None:
    """Return how long after the healing a VIP was with its owner for good. None if it is not."""
    if at(moves, vip, float("inf")) != owner:
        return None
    last = max((one.at_s for one in moves if one.vip == vip), default=healed_s)
    return max(0.0, last - healed_s)
