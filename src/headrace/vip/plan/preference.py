"""How an announcement is made better or worse than another of the same VIP. Pure.

All have a level: first by standing, then by rank. The metric says it in full; what a site prefers
by says it for the ranks of those who serve, and puts all that is worse behind them together.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network

from headrace.bgp.announcement import (
    GRACEFUL_SHUTDOWN,
    Announcement,
    Community,
    IPNetwork,
    LargeCommunity,
    parse_community,
    parse_large_community,
)
from headrace.topology.vips import Announce, PreferBy
from headrace.vip.plan.model import Address, Standing


def level(announce: Announce, standing: Standing, rank: int) -> int:
    """Return how bad an announcement is: 0 is the best."""
    ranks = announce.neighbours + 1
    return standing * ranks + min(rank, ranks - 1)


def block(announce: Announce, vip: Address) -> IPNetwork:
    """Return the shortest prefix that is announced for a VIP."""
    length = announce.ipv4_length if vip.version == 4 else announce.ipv6_length
    if announce.preference is PreferBy.SPECIFIC:
        length -= announce.neighbours + 1
    return ip_network((vip, length), strict=False)


@lru_cache(maxsize=4096)  # making prefixes is most of what a plan would take
def announcement(
    announce: Announce, vip: Address, standing: Standing, rank: int, next_hop: Address | None
) -> Announcement:
    """Return how a VIP is announced by a server of a rank, in a standing that is not `OUT`."""
    ranks = announce.neighbours + 1
    step = min(rank, ranks - 1) if standing is Standing.SERVING else ranks
    by = announce.preference
    length = announce.ipv4_length if vip.version == 4 else announce.ipv6_length
    if by is PreferBy.SPECIFIC:
        length -= step
    communities: set[Community] = set()
    large: set[LargeCommunity] = set()
    if by is PreferBy.COMMUNITY and announce.communities:
        text = announce.communities[min(step, len(announce.communities) - 1)]
        if text.count(":") == 1:
            communities.add(parse_community(text))
        else:
            large.add(parse_large_community(text))
    if standing is Standing.WORST and announce.graceful_shutdown:
        communities.add(GRACEFUL_SHUTDOWN)
    return Announcement(
        ip_network((vip, length), strict=False),
        next_hop,
        announce.med + announce.med_step * level(announce, standing, rank),
        announce.prepend * step if by is PreferBy.PREPEND else 0,
        frozenset(communities),
        frozenset(large),
    )
