"""Who stands in for whom: the servers that the clients of a coverage have, by scheme. Pure.

Made once for a topology. Every server of a site serves every class, so that what holds for the
servers of a coverage holds for each class; where all classes may be sent to an external site of the
coverage, its servers are never the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace.topology.model import Server, Site, SiteKind, Topology


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
    by_name = {site.name: site for site in topology.sites}
    found: dict[str, list[Group]] = {}
    for secure in (False, True):
        names: dict[tuple[str, ...], str] = {}
        for coverage in topology.coverage:
            sites = [by_name[choice.site] for choice in coverage.sites if choice.site in by_name]
            if not _goes_elsewhere(topology, sites, secure):
                names.setdefault(_edges(sites), coverage.name)
        if not any(one.default for one in topology.coverage):
            names.setdefault(_edges(topology.sites), "")
        for edges, name in names.items():
            group = Group(name, secure, edges)
            for site in edges:
                found.setdefault(site, []).append(group)
    return found


def _goes_elsewhere(topology: Topology, sites: Iterable[Site], secure: bool) -> bool:
    """Return whether an external site among them may have all requests. Nobody is sent from HTTPS
    to HTTP."""
    return all(one.external for one in topology.classes) and any(
        site.kind is SiteKind.EXTERNAL
        and site.base_url.startswith("https://" if secure else "http")
        for site in sites
    )


def _edges(sites: Iterable[Site]) -> tuple[str, ...]:
    return tuple(sorted({site.name for site in sites if site.kind is SiteKind.EDGE}))
