"""Who stands in for whom: the servers that the clients of a coverage have, by scheme. Pure.

Made once for a topology. Every server of a site serves every class, so that what holds for the
servers of a coverage holds for each class; where all classes may be sent to an external site of the
coverage, its servers are never the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.topology.model import Server, SiteKind, Topology


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Sites whose servers of one scheme stand in for each other, by the name of a coverage that
    has them ("": clients of none)."""

    coverage: str
    secure: bool
    sites: tuple[str, ...]

    def has(self, server: Server) -> bool:
        """Return whether a server speaks the group's scheme."""
        return (server.https_port if self.secure else server.http_port) is not None


class Groups:
    """The groups of a topology, and the servers of its sites."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.by_site: dict[str, list[Server]] = {site.name: [] for site in topology.sites}
        for server in topology.servers:
            self.by_site.setdefault(server.site, []).append(server)
        self.of_site: Mapping[str, list[Group]] = _groups(topology)


def _groups(topology: Topology) -> dict[str, list[Group]]:
    kinds = {site.name: site.kind for site in topology.sites}
    elsewhere = all(one.external for one in topology.classes)
    names: dict[tuple[str, ...], str] = {}
    for coverage in topology.coverage:
        sites = tuple(sorted({choice.site for choice in coverage.sites}))
        if elsewhere and any(kinds.get(site) is SiteKind.EXTERNAL for site in sites):
            continue
        own = tuple(site for site in sites if kinds.get(site) is SiteKind.EDGE)
        names.setdefault(own, coverage.name)
    if not any(one.default for one in topology.coverage):
        edges = tuple(sorted(name for name, kind in kinds.items() if kind is SiteKind.EDGE))
        names.setdefault(edges, "")
    found: dict[str, list[Group]] = {}
    for sites, name in names.items():
        for secure in (False, True):
            group = Group(name, secure, sites)
            for site in sites:
                found.setdefault(site, []).append(group)
    return found
