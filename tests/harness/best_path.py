"""The choice that a router makes among the routes it has to an address. A model, and pure.

The longest prefix first; then RFC 4271, 9.1.2.2, as routers do it: local preference, length of the
AS path, metric, and at last the router id. What a site's operator configures is here as well: that
a community stands for a local preference, and GRACEFUL_SHUTDOWN for the lowest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from headrace.bgp.announcement import GRACEFUL_SHUTDOWN, Announcement, community_text

USUAL_PREFERENCE = 100


@dataclass(frozen=True, slots=True)
class Router:
    """A router that all servers of a site are neighbours of. `communities` are those that raise
    the local preference, the best first; `honours_shutdown` says whether it knows RFC 8326.
    """

    communities: Sequence[str] = ()
    honours_shutdown: bool = True
    compares_med: bool = True

    def local_preference(self, route: Announcement) -> int:
        """Return what the router prefers a route by before all else."""
        if self.honours_shutdown and GRACEFUL_SHUTDOWN in route.communities:
            return 0
        texts = {community_text(one) for one in route.communities}
        texts |= {community_text(one) for one in route.large_communities}
        places = [place for place, text in enumerate(self.communities) if text in texts]
        if not places:
            return USUAL_PREFERENCE
        return USUAL_PREFERENCE + len(self.communities) - min(places)

    def worth(self, route: Announcement) -> tuple[int, ...]:
        """Return what is compared of two routes to an address: the greater is better."""
        med = -(route.med or 0) if self.compares_med else 0
        return (
            route.prefix.prefixlen,
            self.local_preference(route),
            -1 - route.prepend,
            med,
        )

    def equally_good(
        self,
        address: IPv4Address | IPv6Address,
        routes: Mapping[str, Iterable[Announcement]],
    ) -> list[str]:
        """Return whose routes to an address are the best, before ids of routers decide."""
        found = [
            (self.worth(route), name)
            for name, its in routes.items()
            for route in its
            if address in route.prefix
        ]
        best = max((worth for worth, _name in found), default=None)
        return sorted(name for worth, name in found if worth == best)

    def chosen(
        self,
        address: IPv4Address | IPv6Address,
        routes: Mapping[str, Iterable[Announcement]],
    ) -> str | None:
        """Return who gets the packets to an address; None: nobody."""
        return next(iter(self.equally_good(address, routes)), None)
