"""Tells clients who get the same answer, without deciding for each of them.

Without a shard, a client's network stands for one: each network has a plan of its own, which is
most of what its first question costs. But where all is well in its site, the first candidates are
the first servers of that site's ring. So many networks share them, and who keeps answers by what
is said here (DNS does) makes few.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.routing.eligible import Eligibility, Eligible
from headrace.routing.order import Order, order_sites
from headrace.routing.rendezvous import hash_network, network_bits
from headrace.routing.sites import Rank, Sites, speaks
from headrace.topology.model import ContentClass, SiteKind
from headrace.topology.tiers import Placing
from headrace.topology.view import ServerState

Alike = tuple[int, int, tuple[str, ...]]
"""The number of the order of sites, the length of the prefix, and the first servers."""

MOST_ALIKE = 3
"""So many candidates of the first site can be told."""


class AlikeClients:
    """Under one topology and one view."""

    def __init__(
        self,
        sites: Sites,
        eligibility: Eligibility,
        placement: Placing,
        numbered: Callable[[str, Order], tuple[int, Order]],
        most_sites: int,
    ) -> None:
        self._sites = sites
        self._levels = sites.levels(None)
        self._eligibility = eligibility
        self._placement = placement
        self._numbered = numbered
        self._most_sites = most_sites
        # The orders that are the same for all clients of some ranks, with those.
        self._fixed: dict[tuple[str, str], tuple[tuple[Rank, ...], int, Order]] = {}
        self._good = frozenset(
            name
            for site in sites.by_name.values()
            for server in sites.servers_of(site)
            for name in [server.name]
            if sites.server_states[name] is ServerState.ONLINE and speaks(server, None)
        )

    def find(self, client: bytes, content: ContentClass, most: int) -> Alike | None:
        """Return what is the same for all clients whose first `most` candidates without a shard,
        reason and prefix length are the same as this one's; None where that takes a decision.
        """
        if most > MOST_ALIKE:
            return None
        eligible = self._eligibility.of(client, content)
        network = hash_network(client) + b"\0" + content.name.encode()
        number, order = self._order(eligible, content, network)
        if not order.good:
            return None
        site = order.good[0][0].site
        if site.kind is SiteKind.EXTERNAL or site.name in self._sites.worse:
            return None
        owners = self._placement.owners(site.name, content, network)
        if owners.width != 1:
            return None  # the network says which of those that hold it comes first
        names = tuple([server.name for server in owners.servers[:most]])
        if not names or not self._good.issuperset(names):
            return None
        return number, max(eligible.prefix_length, network_bits(client)), names

    def _order(
        self, eligible: Eligible, content: ContentClass, network: bytes
    ) -> tuple[int, Order]:
        """Return the order of sites, as decisions have it, and its number."""
        key = (eligible.coverage, content.name)
        fixed = self._fixed.get(key)
        if fixed is not None and fixed[0] is eligible.ranks:
            return fixed[1], fixed[2]
        order = order_sites(eligible.ranks, network, self._levels, self._most_sites)
        number, order = self._numbered(eligible.coverage, order)
        if not order.shared:
            self._fixed[key] = (eligible.ranks, number, order)
        return number, order
