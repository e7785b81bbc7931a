"""From which sites the clients of a coverage may be served, whatever a view says. Pure.

A coverage is a promise: its clients are served from the sites that it lists. Beside these, what
stands behind those may help out: the mid sites that they ask, and external sites.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headrace.topology.model import Coverage, Site, SiteKind


class Standing(enum.IntEnum):
    """Why a site may serve a coverage's clients, the first choice first."""

    LISTED = 0
    PARENT = 1
    EXTERNAL = 2


@dataclass(frozen=True, slots=True)
class Reachable:
    """A site that may serve a coverage's clients, and its place: `order` is the description's, or
    how many steps a parent stands behind those listed."""

    site: Site
    standing: Standing
    order: int


def reachable_sites(coverage: Coverage, sites: Mapping[str, Site]) -> Iterator[Reachable]:
    """Yield the sites that may serve a coverage's clients: those it lists by their order, then
    their parents, then external ones that it does not list. Each comes once."""
    listed = sorted(coverage.sites, key=lambda choice: choice.order)
    for choice in listed:
        yield Reachable(sites[choice.site], Standing.LISTED, choice.order)
    known = {choice.site for choice in listed}
    nearer = [sites[choice.site] for choice in listed]
    steps = 0
    while nearer:
        steps += 1
        names = dict.fromkeys(name for site in nearer for name in site.parents)
        nearer = [sites[name] for name in names if name in sites and name not in known]
        known.update(site.name for site in nearer)
        for site in nearer:
            yield Reachable(site, Standing.PARENT, steps)
    for site in sites.values():
        if site.kind is SiteKind.EXTERNAL and site.base_url and site.name not in known:
            yield Reachable(site, Standing.EXTERNAL, 1)
