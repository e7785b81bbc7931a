"""Which of its ISP's addresses for VIPs each site has. Pure.

VIPs stand side by side. Where a site prefers by shorter prefixes, each stands alone in the shortest
prefix that is announced for it, so that no prefix takes in another's VIP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.config.lab.model import SiteTable


def vip_numbers(sites: Sequence[SiteTable]) -> Iterator[list[int]]:
    """Yield the numbers of each site's VIPs, from 1, of the sites of one ISP in order."""
    free = 1
    for site in sites:
        step = _step(site)
        first = -(-free // step) * step
        numbers = [first + step * each for each in range(site.servers * site.vips)]
        yield numbers
        free = numbers[-1] + step


def _step(site: SiteTable) -> int:
    """Return how many addresses a VIP takes: those of the shortest prefix."""
    if site.announce.preference != "specific":
        return 1
    # Also a server that drains is behind all neighbours.
    return int(2 ** (site.announce.neighbours + 1))
