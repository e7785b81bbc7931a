"""Where the heavy shards of a site are: those of which one alone weighs on a server. Pure.

The demand for the others spreads by itself, as arcs of the ring; a heavy shard is put where there
is room beside that, and is held by as many servers as its demand usually asks for. How wide it is
at the moment changes nothing for others: what counts is the usual width, by demand alone, and the
servers that it may be widened to are chosen beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from headrace.topology.bounded_loads import settle
from headrace.topology.model import ContentClass
from headrace.topology.placement_site import Arcs, Conditions, SiteRing, keeps, strained
from headrace.topology.widening import usual_width, widest, width_in_site

WIDENED_BOUND = 1.2
"""The same with the shards that are wider than usual."""

HEAVY = 0.01
"""A shard is heavy with at least so much of the fair share of the smallest server of a site."""

MOST_EACH = 16
"""For each server of a site, so many heavy shards are told apart at most, and some more."""

_OF_A_STEP = 64
_TRIED_IN_A_STEP = 1024


@dataclass(frozen=True, slots=True)
class Share:
    """The demand for a shard, as a share of all."""

    content: ContentClass
    shard: bytes
    share: float


@dataclass(frozen=True, slots=True)
class _Heavy:
    """A heavy shard: its pieces are those from `first` on, `usual` in number."""

    arc: int
    first: int
    usual: int
    widest: int


class HeavyShards:
    """The heavy shards of a site, by number as in `shares`, which are the most demanded first."""

    __slots__ = ("_all", "_at", "_extras", "_loads", "_ranks", "_site", "_sizes", "shares")

    def __init__(self, site: SiteRing, shares: Sequence[Share], largest: int) -> None:
        """`largest` is the number of servers of the largest site."""
        for _step in self._work_out(site, shares, largest):
            pass

    @classmethod
    def steps(
        cls, site: SiteRing, shares: Sequence[Share], largest: int
    ) -> Generator[None, None, HeavyShards]:
        """Return the same, worked out in steps of about a millisecond."""
        made = object.__new__(cls)
        yield from made._work_out(site, shares, largest)
        return made

    def _work_out(
        self, site: SiteRing, shares: Sequence[Share], largest: int
    ) -> Generator[None, None, None]:
        self._site = site
        self.shares = heavy_of(shares, site.arcs.fair)
        self._all: list[_Heavy] = []
        self._at: list[int] = []
        self._sizes: list[float] = []
        self._ranks: list[int] = []
        for number, one in enumerate(self.shares):
            self._add(one, largest)
            if not number % _OF_A_STEP:
                yield
        self._loads = self._light(site.arcs)
        for server, size in zip(self._at, self._sizes, strict=True):
            self._loads[server] += size
        limits = [heavy_bound(site.ring.count) * share for share in site.arcs.fair]
        yield
        self._settle(self._at, self._loads, limits, limits)
        yield
        self._extras: list[list[int]] = []
        yield from self._choose_extras()

    def servers(self, number: int) -> list[int]:
        """Return the servers of a heavy shard, in order, as far as it may be widened."""
        heavy = self._all[number]
        return self._at[heavy.first : heavy.first + heavy.usual] + self._extras[number]

    def load(self, server: int) -> float:
        """Return the share of the demand that a server is expected to have."""
        return self._loads[server]

    def under(self, conditions: Conditions, arcs: Arcs) -> HeavyShards:
        """Return the same for now. Only what weakened servers cannot hold is elsewhere."""
        if conditions.are_plain or not any(conditions.weights):
            return self
        now = object.__new__(HeavyShards)
        now._site, now.shares, now._all = self._site, self.shares, self._all
        now._sizes, now._ranks, now._extras = self._sizes, self._ranks, self._extras
        now._at = list(self._at)
        now._loads = self._light(arcs)
        for server, size in zip(now._at, now._sizes, strict=True):
            now._loads[server] += size
        now._settle(now._at, now._loads, keeps(conditions, arcs.fair), strained(arcs.fair))
        return now

    def _add(self, one: Share, largest: int) -> None:
        ring = self._site.ring
        arc = ring.arc_of(one.shard)
        usual = _in_site(usual_width(one.content, one.share, largest), one, ring.count, largest)
        most = _in_site(widest(one.content, one.share, largest), one, ring.count, largest)
        self._all.append(_Heavy(arc, len(self._at), usual, max(usual, most)))
        size = one.share / usual
        # Large ones first; those of about the same size in an order that does not change.
        rank = (1024 - math.frexp(size)[1]) << 64 | ring.ranks[arc]
        if usual == 1:
            self._at.append(self._site.arcs.holders[arc])
        else:
            self._at += islice(self._site.order(arc, self._site.arcs), usual)
        self._sizes += [size] * usual
        self._ranks += [rank] * usual

    def _light(self, arcs: Arcs) -> list[float]:
        """Return the load of each server by the light shards."""
        left = max(1.0 - sum(one.share for one in self.shares), 0.0)
        return [left * load for load in arcs.loads]

    def _settle(
        self, at: list[int], loads: list[float], keep: list[float], room: list[float]
    ) -> None:
        owners = [number for number, heavy in enumerate(self._all) for _piece in range(heavy.usual)]

        def candidates(piece: int) -> Iterator[int]:
            heavy = self._all[owners[piece]]
            there = set(at[heavy.first : heavy.first + heavy.usual])
            order = self._site.order(heavy.arc, self._site.arcs)
            return (server for server in order if server not in there)

        settle(at, self._sizes, self._ranks, loads, keep, room, candidates)

    def _choose_extras(self) -> Generator[None, None, None]:
        """Choose for each shard the servers that hold it while it is wider than usual.

        Room is set aside for all of them at once, so that none depends on which are in use.
        """
        loads = list(self._loads)
        fair = self._site.arcs.fair
        tried = 0
        for number, heavy in enumerate(self._all):
            wanted = heavy.widest - heavy.usual
            chosen: list[int] = []
            self._extras.append(chosen)
            if wanted:
                size = self.shares[number].share / heavy.widest
                there = set(self._at[heavy.first : heavy.first + heavy.usual])
                for server in self._site.order(heavy.arc, self._site.arcs):
                    tried += 1
                    if server not in there and loads[server] + size <= WIDENED_BOUND * fair[server]:
                        chosen.append(server)
                        loads[server] += size
                        if len(chosen) == wanted:
                            break
            if tried >= _TRIED_IN_A_STEP:
                tried = 0
                yield


def _in_site(width: int, one: Share, servers: int, largest: int) -> int:
    replicas = min(one.content.replicas, servers)
    return max(width_in_site(width, servers, largest), replicas)


def heavy_bound(servers: int) -> float:
    """Return how much of its fair share of the demand a server may have by what is known.

    What is not known comes on top: which of the light shards are more popular than others. The more
    servers there are, the more of that the unluckiest has.
    """
    return 1.2 - 0.012 * servers.bit_length()


def most_heavy(servers: int) -> int:
    """Return how many heavy shards a site with so many servers has at most."""
    return MOST_EACH * (servers + 4)


def heavy_of(shares: Sequence[Share], fair: list[float]) -> list[Share]:
    """Return those of the shares, which are the largest first, that are heavy for a site."""
    least = HEAVY * min(fair)
    found = []
    for one in shares[: most_heavy(len(fair))]:
        if one.share < least:
            break
        found.append(one)
    return found
