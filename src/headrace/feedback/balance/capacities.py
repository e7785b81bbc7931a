"""What sites can carry now: their servers as version 1 has them, and as they say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.feedback.observation import NodeReport
from headrace.topology.model import AdminState, Server, SiteKind, Topology
from headrace.topology.view import ServerState, ServerView

UNLIMITED_BPS = 1e15
"""What an external site carries that says nothing of it."""

_PLAIN = ServerView()
_COUNTS = frozenset({ServerState.ONLINE, ServerState.FULL})


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a site can carry, and what of that it is to be used to."""

    bps: float
    target_bps: float


def capacities_of(
    topology: Topology, servers: Mapping[str, ServerView], reports: Mapping[str, NodeReport]
) -> dict[str, Capacity]:
    """Return the capacity of each site that can serve clients now.

    A full server counts: what it carries is there. One that drains, or has failed, does not.
    """
    totals: dict[str, float] = {}
    for server in topology.servers:
        usable_bps = _usable_bps(server, servers.get(server.name, _PLAIN), reports)
        if usable_bps > 0:
            totals[server.site] = totals.get(server.site, 0.0) + usable_bps
    found = {}
    for site in topology.sites:
        if site.kind is SiteKind.EXTERNAL:
            bps = float(site.capacity_bps or UNLIMITED_BPS) if site.base_url else 0.0
        else:
            bps = totals.get(site.name, 0.0)
            if site.capacity_bps is not None:
                bps = min(bps, site.capacity_bps)
        if bps > 0:
            found[site.name] = Capacity(bps, bps * site.target_utilisation)
    return found


def _usable_bps(server: Server, seen: ServerView, reports: Mapping[str, NodeReport]) -> float:
    if server.state is not AdminState.ONLINE or seen.state not in _COUNTS:
        return 0.0
    own = reports.get(server.name)
    bps = float(server.capacity_bps)
    if own is not None and own.report.capacity_bps:
        bps = min(bps, own.report.capacity_bps)
    return bps * min(max(seen.weight, 0.0), 1.0)
