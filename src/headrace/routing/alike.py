"""Tells clients who get the same answer, without deciding for each of them.

Without a shard, a client's network stands for one. Where a coverage has all of the network, that
coverage's ranks and the network's bids say the site, and the network's arc on the site's ring says
the servers: two searches and a hash or two, in place of a decision and what it leaves in memory.
So whoever keeps answers by what is said here (DNS does) makes few, and keeps nothing of clients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from xxhash import xxh3_64_intdigest

from headrace.reasons import Reason
from headrace.routing.eligible import Eligibility
from headrace.routing.rendezvous import SCALE
from headrace.routing.sites import Level, Rank, Share, Sites, speaks
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import ContentClass, SiteKind
from headrace.topology.placement import Placement
from headrace.topology.tiers import Placing
from headrace.topology.view import View

MOST_ALIKE = 3
"""So many candidates of the first site can be told."""

DECIDE = 0
"""What is said of a network that takes a decision."""

V4_NETWORK_BYTES, V6_NETWORK_BYTES = 3, 6


@dataclass(slots=True, eq=False)
class _Spot:
    """A site as somebody's first one. What is said of its clients is `base` and the number of the
    arc, or with `most` the number of the first so many servers of it.
    """

    base: int
    most: int
    servers: int
    holders: Sequence[int]
    homes: Sequence[int]
    points: Sequence[int]
    first: Sequence[int]
    shift: int


_Bidder = tuple[float, int, "_Spot | bool"]
"""The weight and the seed of a site, and where its clients then are; True: it takes a decision,
False: it is not good."""


@dataclass(slots=True, eq=False)
class _Contest:
    """Sites that share the clients of a coverage. The best of `everyone` has them (none: they
    belong elsewhere); where it is not good, the best of those in `good` stands in.
    """

    everyone: tuple[_Bidder, ...]
    good: tuple[_Bidder, ...]

    def spot(self, shard: bytes) -> _Spot | None:
        """Return where the clients come first for whom this stands."""
        for bidders in (self.everyone, self.good):
            # The first of `rendezvous.by_score`.
            lowest = 0.0
            best: _Spot | bool = False
            for weight, seed, spot in bidders:
                bid = weight / log(((xxh3_64_intdigest(shard, seed) >> 12) + 0.5) * SCALE)
                if bid < lowest:
                    lowest, best = bid, spot
            if best is not False:
                return None if best is True else best
        return None


_Found = _Spot | _Contest | bool


class AlikeNetworks:
    """For one class of content."""

    __slots__ = (
        "_contest", "_ending", "_v4", "_v4_found", "_v6", "_v6_found",
    )  # fmt: skip

    def __init__(
        self,
        content: ContentClass,
        coverage: CoverageTable,
        contest: Callable[[bytes], _Spot | _Contest | None],
    ) -> None:
        """`contest` says what is true for all of a coverage, by a client of it."""
        self._contest = contest
        self._ending = b"\0" + content.name.encode()
        self._v4, self._v6 = coverage.whole_v4, coverage.whole_v6
        # By the number of a coverage; False: not asked yet, True: it takes a decision. The last is
        # that of no number.
        count = len(coverage.coverage) + 2
        self._v4_found: list[_Found] = [False] * count
        self._v6_found: list[_Found] = [False] * count

    def find(self, network: bytes) -> int:
        """Return what is the same for all networks of a family whose first candidates without a
        shard, reason and fallback are the same as this one's, or DECIDE.

        A network is the first 3 or 6 bytes of an address. What is said holds for all of it: the
        prefix of the answer is as long as the network's.
        """
        if len(network) == V4_NETWORK_BYTES:
            value, found = self._v4(network), self._v4_found
        else:
            value, found = self._v6(network), self._v6_found
        known = found[value]
        shard = network + self._ending
        spot = known if type(known) is _Spot else self._spot_of(known, value, network, shard)
        if spot is None:
            return DECIDE
        # As `Ring.arc_of` has it, without a call.
        point = xxh3_64_intdigest(shard)
        points, arc = spot.points, spot.first[point >> spot.shift]
        try:
            while points[arc] <= point:
                arc += 1
        except IndexError:
            arc = 0
        most = spot.most
        if not most:
            return spot.base + arc
        holder = spot.holders[arc]
        if most == 1:
            return spot.base + holder
        # The next servers that are met, as `Placement.owners` finds them.
        homes = spot.homes
        end = len(homes)
        server = homes[arc]
        while server == holder:
            arc += 1
            if arc == end:
                arc = 0
            server = homes[arc]
        number = holder * spot.servers + server
        if most == 2:
            return spot.base + number
        third = server
        while third in (holder, server):
            arc += 1
            if arc == end:
                arc = 0
            third = homes[arc]
        return spot.base + number * spot.servers + third

    def _spot_of(
        self, known: _Spot | _Contest | bool, value: int, network: bytes, shard: bytes
    ) -> _Spot | None:
        """Return where the clients of a network come first, who are of this coverage."""
        if value < 0:
            return None
        if known is False:
            v4 = len(network) == V4_NETWORK_BYTES
            learnt = self._contest(network + bytes((4 if v4 else 16) - len(network)))
            known = True if learnt is None else learnt
            (self._v4_found if v4 else self._v6_found)[value] = known
        if isinstance(known, _Contest):
            return known.spot(shard)
        return known if isinstance(known, _Spot) else None


class AlikeClients:
    """Under one topology and one view."""

    def __init__(
        self,
        sites: Sites,
        eligibility: Eligibility,
        placement: Placing,
        coverage: CoverageTable,
        view: View,
    ) -> None:
        self._sites = sites
        self._eligibility = eligibility
        self._placement = placement
        self._coverage = coverage
        self._view = view

    def of_class(self, content: ContentClass, most: int) -> AlikeNetworks | None:
        """Return what tells networks whose first `most` servers of a class are the same; None where
        each takes a decision.
        """
        if most > MOST_ALIKE or content.replicas > 1 or not isinstance(self._placement, Placement):
            return None  # of several that hold it, the network says which comes first
        if _names_networks(self._view, content):
            return None
        finder = _SpotFinder(self._sites, self._placement, most)

        def contest(client: bytes) -> _Spot | _Contest | None:
            eligible = self._eligibility.of(client, content)
            if eligible.place is not None:
                return None  # its place counts, not its coverage alone
            return finder.contest(eligible.ranks, len(client))

        return AlikeNetworks(content, self._coverage, contest)


def _names_networks(view: View, content: ContentClass) -> bool:
    """Return whether a view has anything to say of the shards that networks stand for."""
    ending = (b"\0" + content.name.encode()).decode("latin-1")
    return any(
        shard.endswith(ending)
        for said in (view.demand, view.widths)
        for shard in said.get(content.name, ())
    )


class _SpotFinder:
    """Finds the sites where clients of some ranks come first, for one class."""

    def __init__(self, sites: Sites, placement: Placement, most: int) -> None:
        self._sites = sites
        self._levels = sites.levels(None)
        self._placement = placement
        self._most = most
        self._next = DECIDE + 1
        self._spots: dict[tuple[str, Reason, bool, int], _Spot | None] = {}

    def contest(self, ranks: Sequence[Rank], client_bytes: int) -> _Spot | _Contest | None:
        """Return which sites share the clients of some ranks, or the one that has all of them; None
        where that takes a decision.
        """
        belong: tuple[Share, ...] = ()
        for rank in ranks:
            everyone = tuple(share for share in rank.shares if share.weight)
            good = tuple(s for s in everyone if self._levels[s.site.name] is Level.GOOD)
            if good:
                return self._contest(everyone if not belong else (), good, rank, client_bytes)
            belong = belong or everyone
        return None

    def _contest(
        self,
        everyone: tuple[Share, ...],
        good: tuple[Share, ...],
        rank: Rank,
        client_bytes: int,
    ) -> _Spot | _Contest | None:
        def spot(share: Share, *, fallback: bool) -> _Spot | None:
            key = (share.site.name, rank.reason, fallback, client_bytes)
            if key not in self._spots:
                self._spots[key] = self._make(share)
            return self._spots[key]

        if len(everyone) == 1 or (not everyone and len(good) == 1):
            return spot(good[0], fallback=not everyone)
        first = {share.site.name: spot(share, fallback=False) or True for share in good}
        return _Contest(
            tuple((each.weight, each.seed, first.get(each.site.name, False)) for each in everyone),
            tuple((each.weight, each.seed, spot(each, fallback=True) or True) for each in good),
        )

    def _make(self, share: Share) -> _Spot | None:
        site = share.site
        servers = self._sites.servers_of(site)
        if site.kind is SiteKind.EXTERNAL or not all(speaks(server, None) for server in servers):
            return None
        placed = self._placement.site(site.name)
        if placed is None:
            return None
        ring, count = placed.ring.ring, len(servers)
        # Where all is well the servers tell all, and they are fewer than the arcs.
        most = min(self._most, count) if placed.conditions.are_plain else 0
        spot = _Spot(
            self._next, most, count, placed.arcs.holders, ring.homes, ring.points, ring.first,
            ring.shift,
        )  # fmt: skip
        self._next += count**most if most else len(ring.homes)
        return spot
