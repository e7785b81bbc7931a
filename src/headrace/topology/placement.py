"""Which servers of a site hold a shard, and which stand in for them, in order. Pure.

All who have the same description and the same view come to the same answer, without a word: nothing
else goes into it. See docs/network/sharding.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from headrace.topology.model import ContentClass, Server, Topology
from headrace.topology.placement_heavy import HeavyShards, Share, most_heavy
from headrace.topology.placement_site import Arcs, Conditions, SiteRing, Standing, conditions_of
from headrace.topology.view import NO_VIEW, View
from headrace.topology.widening import Widths, width_in_site

FALLBACKS = 4
"""How many servers are named beyond those that hold the shard."""


class Owners(NamedTuple):
    """The first `width` servers hold the shard; the others stand in for them, in order."""

    servers: tuple[Server, ...]
    width: int


NOBODY = Owners((), 0)
_make = tuple.__new__
_NO_RINGS: Mapping[str, SiteRing] = MappingProxyType({})


class Placement:
    """Where shards are, under a view of the network.

    A site is worked out when it is first asked for, or beforehand by `prepare`: some 2 ms for 10
    servers. With `former`, a placement of before, what has not changed since is taken from it, for
    each site when it is first asked for: a new view costs nothing by itself. `rings` are those of
    sites that were made before, of the same topology.
    """

    __slots__ = (
        "_before", "_largest", "_rings", "_servers", "_shares", "_sites", "_widths", "topology",
        "view",
    )  # fmt: skip

    def __init__(
        self,
        topology: Topology,
        view: View = NO_VIEW,
        former: Placement | None = None,
        rings: Mapping[str, SiteRing] = _NO_RINGS,
    ) -> None:
        self.topology = topology
        self.view = view
        self._servers: dict[str, tuple[Server, ...]]
        self._largest: int
        self._shares: list[Share]
        self._rings: dict[str, SiteRing] = {}
        self._sites: dict[str, SitePlacement] = {}
        # As they were under a view of before, of the same demand.
        self._before: dict[str, SitePlacement] = {}
        self._widths = view.widths
        if former is not None and former.topology is topology:
            self._servers, self._largest = former._servers, former._largest
        else:
            self._servers = servers_by_site(topology)
            self._largest = max(map(len, self._servers.values()), default=0)
        self._shares = (
            former._shares
            if former is not None
            and former.topology.classes == topology.classes
            and former._largest >= self._largest
            and (former.view.demand is view.demand or former.view.demand == view.demand)
            else shares_of(topology.classes, view.demand, most_heavy(self._largest))
        )
        if former is not None:
            self._take_from(former)
        if rings and (former is None or former._servers is not self._servers):
            self._rings = {**self._rings, **rings}

    def _take_from(self, former: Placement) -> None:
        same = former._servers is self._servers
        self._rings = (
            former._rings
            if same
            else {
                site: ring
                for site, ring in former._rings.items()
                if former._servers[site] == self._servers.get(site)
            }
        )
        alike = same and former._shares is self._shares and former._largest == self._largest
        if alike:
            self._before = {**former._before, **former._sites}
        if former._widths == self._widths:
            self._widths = former._widths  # to be told alike at a glance

    def prepare(self, sites: Iterable[str] | None = None) -> None:
        """Work out these sites, or all, so that no question waits for it."""
        for site in self._servers if sites is None else sites:
            self._prepare(site)

    def steps(self) -> Iterator[None]:
        """Do the same for all sites in steps, between which something else can be done."""
        for site in self._servers:
            yield from self._work_out(site)
            yield

    def owners(self, site: str, content: ContentClass, shard: bytes) -> Owners:
        """Return the servers of a site for a shard; none for a site that has none."""
        placed = self._sites.get(site) or self._prepare(site)
        return NOBODY if placed is None else placed.owners(content, shard)

    def finder(self, site: str, content: ContentClass) -> Callable[[bytes], Owners]:
        """Return what `owners` is for one site and class, to be called with many shards."""
        placed = self._sites.get(site) or self._prepare(site)
        return (lambda _shard: NOBODY) if placed is None else placed.finder(content)

    def site(self, site: str) -> SitePlacement | None:
        """Return what is worked out for a site; None where it has no servers."""
        return self._sites.get(site) or self._prepare(site)

    def _prepare(self, site: str) -> SitePlacement | None:
        for _step in self._work_out(site):
            pass
        return self._sites.get(site)

    def _work_out(self, site: str) -> Iterator[None]:
        servers = self._servers.get(site)
        if not servers or site in self._sites:
            return
        before = self._before.get(site)
        if before is not None:
            placed = before.under(self.view, self._widths)
        else:
            ring = self._rings.get(site)
            if ring is None:
                ring = self._rings[site] = SiteRing(servers)
                yield
            yield from ring.lay_out()
            heavy = yield from HeavyShards.steps(ring, self._shares, self._largest)
            conditions = conditions_of(ring.servers, self.view)
            placed = SitePlacement(ring, heavy, self._largest, conditions, self._widths)
        # A question may have come between two steps, and had it worked out.
        self._sites.setdefault(site, placed)
        self._before.pop(site, None)


class SitePlacement:
    """Where shards are in one site."""

    __slots__ = (
        "_crooked", "_heavy_before", "_homes", "_known", "_largest", "_search", "_straight",
        "_unusable", "_widths", "arcs", "conditions", "heavy", "ring",
    )  # fmt: skip

    def __init__(
        self,
        ring: SiteRing,
        heavy: HeavyShards,
        largest: int,
        conditions: Conditions,
        widths: Widths,
    ) -> None:
        self.ring = ring
        self._heavy_before = heavy
        self._largest = largest
        self.conditions = conditions
        self._widths = widths
        self.arcs: Arcs = ring.arcs_under(conditions)
        self.heavy = heavy.under(conditions, self.arcs)
        # Of heavy shards, by class and shard: the answer, or before it was asked for, the number.
        self._known: dict[str, dict[bytes, Owners | int]] = {}
        for number, one in enumerate(heavy.shares):
            self._known.setdefault(one.content.name, {})[one.shard] = number
        # Of arcs that are not straight, by width and arc.
        self._crooked: dict[int, Owners] = {}
        # By arc, as far as it is known under these conditions.
        self._straight: Sequence[int] = (
            ring.straight if conditions.are_plain else bytearray(len(ring.straight))
        )
        self._homes = ring.homes
        self._search = ring.ring.points, ring.ring.first, ring.ring.shift
        self._unusable = frozenset(
            number
            for number, standing in enumerate(conditions.standings)
            if standing is not Standing.USABLE
        )

    def under(self, view: View, widths: Widths) -> SitePlacement:
        """Return the same under another view of the same demand. `widths` are the view's: the same
        object as before if they are equal.
        """
        conditions = conditions_of(self.ring.servers, view)
        if conditions == self.conditions and widths is self._widths:
            return self
        return SitePlacement(self.ring, self._heavy_before, self._largest, conditions, widths)

    def owners(self, content: ContentClass, shard: bytes) -> Owners:
        """Return the servers for a shard."""
        heavy = self._known.get(content.name)
        if heavy and shard in heavy:
            found = heavy[shard]
            return found if isinstance(found, Owners) else self._of_heavy(content, shard, found)
        # As `Ring.arc_of` has it, without a call.
        points, first, shift = self._search
        point = xxh3_64_intdigest(shard)
        arc = first[point >> shift]
        try:
            while points[arc] <= point:
                arc += 1
        except IndexError:
            arc = 0
        width = content.replicas
        # A view may have the widths of any number of light shards.
        widths = self._widths.get(content.name)
        if widths and shard.decode("latin-1") in widths:
            width = self.width(content, shard)
        wanted = width + FALLBACKS
        if self._straight[arc] >= wanted:
            # A named tuple's own constructor takes twice as long.
            return _make(Owners, (self._homes[arc : arc + wanted], width))
        return self._crooked.get(width << 32 | arc) or self._answer(arc, width)

    def finder(self, content: ContentClass) -> Callable[[bytes], Owners]:
        """Return what `owners` is for one class, to be called with many shards."""
        width, wanted = content.replicas, content.replicas + FALLBACKS
        if content.name in self._widths:
            return partial(self.owners, content)
        heavy, arc_of = self._known.get(content.name, {}), self.ring.ring.arc_of
        straight, homes, crooked = self._straight, self._homes, self._crooked.get
        high = width << 32

        def find(shard: bytes) -> Owners:
            if shard in heavy:
                return self.owners(content, shard)
            arc = arc_of(shard)
            if straight[arc] >= wanted:
                return _make(Owners, (homes[arc : arc + wanted], width))
            return crooked(high | arc) or self._answer(arc, width)

        return find

    def width(self, content: ContentClass, shard: bytes) -> int:
        """Return on how many servers a shard is to be held."""
        widths = self._widths.get(content.name)
        wide = widths.get(shard.decode("latin-1"), 0) if widths else 0
        servers = len(self.ring.servers)
        return max(content.replicas, width_in_site(wide, servers, self._largest) if wide else 0)

    def heavy_number(self, content: ContentClass, shard: bytes) -> int | None:
        """Return the number of a heavy shard; None for a light one."""
        for number, one in enumerate(self.heavy.shares):
            if one.shard == shard and one.content.name == content.name:
                return number
        return None

    def _of_heavy(self, content: ContentClass, shard: bytes, number: int) -> Owners:
        """Return the answer for a heavy shard, and remember it."""
        arc, chosen = self.ring.ring.arc_of(shard), self.heavy.servers(number)
        found = self._owners(arc, self.width(content, shard), chosen)
        self._known[content.name][shard] = found
        return found

    def _answer(self, arc: int, width: int) -> Owners:
        """Return the answer for an arc, and remember that it is straight, or what it is."""
        wanted = width + FALLBACKS
        if self.ring.straight[arc] >= wanted:
            found = self.ring.ring.homes[arc : arc + wanted]
            if found[0] == self.arcs.holders[arc] and self._unusable.isdisjoint(found):
                self._straight[arc] = wanted  # type: ignore[index]  # it is a row of its own
                return _make(Owners, (self._homes[arc : arc + wanted], width))
        owners = self._owners(arc, width, ())
        if len(self._crooked) < len(self.arcs.holders):
            self._crooked[width << 32 | arc] = owners
        return owners

    def _owners(self, arc: int, width: int, chosen: Sequence[int]) -> Owners:
        """Return the answer for an arc, or for a heavy shard in it."""
        wanted = min(width + FALLBACKS, self.ring.ring.count)
        # The next arcs are nearly always of different servers, all of which serve.
        homes = self.ring.ring.homes[arc : arc + wanted]
        known = dict.fromkeys((*chosen, self.arcs.holders[arc], *homes))
        if len(known) < wanted or not self._unusable.isdisjoint(known):
            # What moved for now may be where its shard could be widened to: twice among the chosen.
            first = dict.fromkeys(chosen)
            others = (one for one in self.ring.order(arc, self.arcs) if one not in first)
            return self._owners_in_order(width, chain(first, others))
        servers = self.ring.servers
        found = tuple([servers[number] for number in islice(known, wanted)])
        return _make(Owners, (found, min(width, wanted)))

    def _owners_in_order(self, width: int, order: Iterable[int]) -> Owners:
        """Return the answer where servers come in an order, whatever each of them is good for."""
        standings = self.conditions.standings
        wanted = width + FALLBACKS
        usable: list[int] = []
        others: list[int] = []
        for server in order:
            if standings[server] is Standing.USABLE:
                usable.append(server)
                if len(usable) == wanted:
                    break
            elif standings[server] is not Standing.GONE:
                others.append(server)
        others.sort(key=standings.__getitem__)
        found = (usable + others)[:wanted]
        holding = min(width, len(usable)) or min(1, len(found))
        return Owners(tuple(self.ring.servers[server] for server in found), holding)


def servers_by_site(topology: Topology) -> dict[str, tuple[Server, ...]]:
    """Return the servers of each site that has any."""
    by_site: dict[str, list[Server]] = {}
    for server in topology.servers:
        by_site.setdefault(server.site, []).append(server)
    return {site: tuple(servers) for site, servers in by_site.items()}


def shares_of(
    classes: Iterable[ContentClass], demand: Mapping[str, Mapping[str, float]], most: int
) -> list[Share]:
    """Return the largest shares of the demand that a view has for known classes, in order."""
    found = [
        (-share, content.name, text, content)
        for content in classes
        for text, share in demand.get(content.name, {}).items()
        if 0 < share < math.inf and (text.isascii() or shard_named(text) is not None)
    ]
    found.sort(key=itemgetter(0, 1, 2))
    # In this order, so that all come to the same sum, to the last bit.
    total = -sum(each[0] for each in found)
    scale = total if total > 1 else 1.0
    return [
        Share(content, text.encode("latin-1"), -share / scale)
        for share, _name, text, content in found[:most]
    ]


def shard_named(text: str) -> bytes | None:
    """Return the shard that a view means; None for what can be none."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None
