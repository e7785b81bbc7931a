"""The servers of a site on their ring, and which of them hold its arcs, whatever is known. Pure.

First by the description alone: an arc is held by the server whose point it reaches up to, unless
that one has too much. Then under the conditions of the moment: what servers that fail, drain or
are weakened cannot hold goes to others, and nothing else moves.
"""

from __future__ import annotations

import enum
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.topology.bounded_loads import settle
from headrace.topology.model import AdminState, Server
from headrace.topology.ring import Ring
from headrace.topology.view import ServerState, ServerView, View

ARCS_BOUND = 1.05
"""How much of its fair share of the ring a server may hold."""

STRAINED_BOUND = 1.15
"""The same when it takes what others cannot hold for now."""

_LONGEST_ROW = 255
_OF_A_STEP = 8192


class Standing(enum.IntEnum):
    """What a server is good for: better ones come first."""

    USABLE = 0
    FULL = 1
    DRAINING = 2
    GONE = 3


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is known of the servers of a site, by number: `weights` has the share of a server's
    capacity that counts. `are_plain`: all serve with all they have.
    """

    standings: tuple[Standing, ...]
    weights: tuple[float, ...]
    are_plain: bool


def conditions_of(servers: Sequence[Server], view: View) -> Conditions:
    """Return the conditions of servers under a view."""
    seen = [view.servers.get(server.name, _UNSEEN) for server in servers]
    standings = tuple(map(standing_of, servers, seen))
    weights = tuple(
        min(max(one.weight, 0.0), 1.0) if standing is Standing.USABLE else 0.0
        for one, standing in zip(seen, standings, strict=True)
    )
    return Conditions(standings, weights, min(weights) >= 1)


def standing_of(server: Server, seen: ServerView) -> Standing:
    """Return what a server is good for."""
    if server.state is AdminState.WITHDRAWN or seen.state is ServerState.FAILED:
        return Standing.GONE
    if server.state is AdminState.DRAINING or seen.state is ServerState.DRAINING:
        return Standing.DRAINING
    return Standing.FULL if seen.state is ServerState.FULL else Standing.USABLE


_UNSEEN = ServerView()


@dataclass(frozen=True, slots=True)
class Arcs:
    """Who holds the arcs of a ring: `holders` by arc; by server, the share of the ring that it
    holds, and what would be fair.
    """

    holders: Sequence[int]
    loads: list[float]
    fair: list[float]


class SiteRing:
    """The servers of a site, sorted by name, and their arcs by the description alone.

    `straight` has by arc how many arcs from it on are of different servers: 0 where another server
    holds it than the one whose point it reaches up to.
    """

    __slots__ = ("_homes", "arcs", "ring", "servers", "straight")

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = by_name(servers)
        self.ring = Ring([(server.name, server.capacity_bps) for server in self.servers])
        holders = array("I", self.ring.homes)
        loads = [0.0] * len(self.servers)
        for server, size in zip(holders, self.ring.sizes, strict=True):
            loads[server] += size
        fair = self._fair([1.0] * len(self.servers))
        limits = [ARCS_BOUND * share for share in fair]
        self._settle(holders, loads, limits, limits)
        self.arcs = Arcs(holders, loads, fair)
        self.straight: Sequence[int] = _straight(self.ring, holders)
        self._homes: tuple[Server, ...] = ()

    @classmethod
    def of(
        cls, servers: tuple[Server, ...], ring: Ring, arcs: Arcs, straight: Sequence[int]
    ) -> SiteRing:
        """Return one that was made before, of servers `by_name`."""
        site = object.__new__(cls)
        site.servers, site.ring, site.arcs, site.straight = servers, ring, arcs, straight
        site._homes = ()
        return site

    @property
    def homes(self) -> tuple[Server, ...]:
        """Return the servers whose points the arcs reach up to, by arc."""
        for _step in self.lay_out():
            pass
        return self._homes

    def lay_out(self) -> Iterator[None]:
        """Put `homes` together in steps, once."""
        if self._homes:
            return
        found: list[Server] = []
        numbers, named = self.ring.homes, self.servers.__getitem__
        for start in range(0, len(numbers), _OF_A_STEP):
            found += map(named, numbers[start : start + _OF_A_STEP])
            yield
        self._homes = tuple(found)

    def arcs_under(self, conditions: Conditions) -> Arcs:
        """Return who holds the arcs for now."""
        if conditions.are_plain or not any(conditions.weights):
            return self.arcs
        fair = self._fair(conditions.weights)
        holders, loads = array("I", self.arcs.holders), list(self.arcs.loads)
        self._settle(holders, loads, keeps(conditions, fair), strained(fair))
        return Arcs(holders, loads, fair)

    def order(self, arc: int, arcs: Arcs) -> Iterator[int]:
        """Yield all servers for an arc: its holder, then the others as they are met."""
        holder = arcs.holders[arc]
        yield holder
        for server in self.ring.walk(arc):
            if server != holder:
                yield server

    def _fair(self, weights: Sequence[float]) -> list[float]:
        counting = [
            server.capacity_bps * weight
            for server, weight in zip(self.servers, weights, strict=True)
        ]
        total = sum(counting)
        return [one / total for one in counting]

    def _settle(
        self, holders: array[int], loads: list[float], keep: list[float], room: list[float]
    ) -> None:
        ring = self.ring
        settle(holders, ring.sizes, ring.ranks, loads, keep, room, ring.walk)


def _straight(ring: Ring, holders: Sequence[int]) -> bytes:
    """Return by arc how many arcs in a row are of different servers, as SiteRing has it."""
    count = len(holders)
    row = bytearray(count)
    # Where a server was met last, on the way back from the end: no row goes round it.
    met = [count] * ring.count
    end = count
    homes = ring.homes
    for arc in range(count - 1, -1, -1):
        home = homes[arc]
        end = min(end, met[home])
        met[home] = arc
        if home == holders[arc]:
            row[arc] = min(end - arc, _LONGEST_ROW)
    return bytes(row)


def by_name(servers: Sequence[Server]) -> tuple[Server, ...]:
    """Return servers in the order of their numbers."""
    return tuple(sorted(servers, key=lambda server: server.name))


def keeps(conditions: Conditions, fair: list[float]) -> list[float]:
    """Return how much servers keep of what they have: all, but for those that are weakened."""
    return [
        math.inf if weight >= 1 else STRAINED_BOUND * share
        for weight, share in zip(conditions.weights, fair, strict=True)
    ]


def strained(fair: list[float]) -> list[float]:
    """Return how much servers may come to hold of what others cannot."""
    return [STRAINED_BOUND * share for share in fair]
