"""Which sites may serve a client, in ranks: by its coverage, or by where it is."""

from __future__ import annotations

import enum
from collections.abc import Container, Iterator, Mapping, Sequence

import msgspec

from headrace.reasons import Reason
from headrace.routing.rendezvous import seed_of
from headrace.topology.model import (
    AdminState,
    ContentClass,
    Coverage,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    Topology,
)
from headrace.topology.reachable import reachable_sites
from headrace.topology.site_capacity import (
    described_weights,
    first_weights,
    normalised,
    site_capacities,
)
from headrace.topology.view import NO_VIEW, ServerState, View


class Share(msgspec.Struct, frozen=True):
    """A site and what part of the clients of its rank it should have, as a weight.

    `keeps` is the part that stays of those clients who come to it for its place; the others are
    passed on, and come to it last.
    """

    site: Site
    weight: float
    seed: int
    keeps: float = 1.0


class Rank(msgspec.Struct, frozen=True):
    """Sites that share clients by weight, and why these. A later rank serves only where no earlier
    one can. `by_view`: it is the view that has them share. `passed_on`: it is for those clients
    alone whom their nearest site passes on, and comes first for them."""

    shares: tuple[Share, ...]
    reason: Reason
    by_view: bool = False
    passed_on: bool = False


class Level(enum.IntEnum):
    """What a site is good for: new clients; those whom nobody else serves; nothing."""

    GOOD = 0
    SPARE = 1
    DEAD = 2


class Sites:
    """The sites of a topology, with their weights and states under a view. `worse` are those of
    which a server is worse than its description says.
    """

    def __init__(self, topology: Topology, view: View) -> None:
        self.by_name: Mapping[str, Site] = {site.name: site for site in topology.sites}
        self.externals = tuple(
            site for site in topology.sites if site.kind is SiteKind.EXTERNAL and site.base_url
        )
        self.server_states = {server.name: _state(server, view) for server in topology.servers}
        self.worse = frozenset(
            server.site
            for server in topology.servers
            if server.name in view.servers
            and self.server_states[server.name] is not _state(server, NO_VIEW)
        )
        self._view = view
        self._servers: dict[str, list[Server]] = {}
        for server in topology.servers:
            self._servers.setdefault(server.site, []).append(server)
        self._levels: dict[bool | None, Mapping[str, Level]] = {}
        self._capacities = site_capacities(topology)
        self._seeds = {site.name: seed_of(site.name) for site in topology.sites}

    def has_own_weights(self, content: ContentClass, coverage: Coverage) -> bool:
        """Return whether the view has weights of a coverage's sites for this class alone."""
        return self._view.has_own_weights(content.name, coverage.name)

    def of_coverage(
        self, coverage: Coverage, reason: Reason, content: ContentClass
    ) -> tuple[Rank, ...]:
        """Return the sites of a coverage for requests of a class: those that the view has weights
        for, then the others by their order; external ones only if they may serve."""
        described = described_weights(coverage, self._capacities)
        seen = self._view.weights(content.name, coverage.name)
        behind = self._ranks_of(coverage, described, content, seen, reason)
        sharing = [site for site in self._reached(coverage, content) if site.name in seen]
        if not sharing:
            return behind
        return (self._rank(sharing, seen, reason, by_view=True), *behind)

    def near_of_coverage(
        self, coverage: Coverage, reason: Reason, content: ContentClass
    ) -> tuple[Rank, ...]:
        """Return the same for clients whose place decides in each rank: the description's orders.

        Where the view gives a site less than the description does, the site keeps so much less of
        the clients that come to it; they go to those sites that it gives more.
        """
        described = described_weights(coverage, self._capacities)
        seen = self._view.weights(content.name, coverage.name)
        ranks = self._ranks_of(coverage, described, content, {}, reason)
        if not seen:
            return ranks
        reached = [site for site in self._reached(coverage, content) if site.name in seen]
        shares = normalised({site.name: seen[site.name] for site in reached})
        if any(shares.values()):
            first = normalised(first_weights(coverage, self._capacities))
            keeps = {name: shares.get(name, 0.0) / share for name, share in first.items()}
            ranks = tuple(
                Rank(tuple(_keeping(share, keeps) for share in rank.shares), reason, True)
                for rank in ranks
            )
            more = {name: share - first.get(name, 0.0) for name, share in shares.items()}
            takers = [site for site in reached if more[site.name] > 0.0]
            if takers:
                ranks = (self._rank(takers, more, reason, by_view=True, passed_on=True), *ranks)
        return ranks

    def _reached(self, coverage: Coverage, content: ContentClass) -> Iterator[Site]:
        """Yield the sites that may serve a coverage's clients with a class."""
        for one in reachable_sites(coverage, self.by_name):
            if content.external or one.site.kind is not SiteKind.EXTERNAL:
                yield one.site

    def _ranks_of(
        self,
        coverage: Coverage,
        weights: Mapping[str, float],
        content: ContentClass,
        without: Container[str],
        reason: Reason,
    ) -> tuple[Rank, ...]:
        orders: dict[int, list[Site]] = {}
        for choice in coverage.sites:
            site = self.by_name[choice.site]
            allowed = content.external or site.kind is not SiteKind.EXTERNAL
            if allowed and site.name not in without:
                orders.setdefault(choice.order, []).append(site)
        return tuple(self._rank(orders[order], weights, reason) for order in sorted(orders))

    def of_nobody(self) -> tuple[Rank, ...]:
        """Return the sites for clients that no coverage speaks of: all edge sites, first those
        that stand in no ISP's network."""
        edges = [site for site in self.by_name.values() if site.kind is SiteKind.EDGE]
        choices = tuple(SiteChoice(site.name) for site in edges)
        weights = described_weights(Coverage("", choices), self._capacities)
        ranks = ([site for site in edges if bool(site.network) is isp] for isp in (False, True))
        return tuple(self._rank(rank, weights, Reason.BY_DEFAULT) for rank in ranks if rank)

    def servers_of(self, site: Site) -> Sequence[Server]:
        """Return the servers of a site."""
        return self._servers.get(site.name, ())

    def levels(self, secure: bool | None) -> Mapping[str, Level]:
        """Return what each site is good for, for clients who speak HTTPS, HTTP or either (None)."""
        levels = self._levels.get(secure)
        if levels is None:
            levels = self._levels[secure] = {
                name: self._find_level(site, secure) for name, site in self.by_name.items()
            }
        return levels

    def _find_level(self, site: Site, secure: bool | None) -> Level:
        if site.kind is SiteKind.EXTERNAL:
            return Level.GOOD if speaks_external(site, secure) else Level.DEAD
        states = {
            self.server_states[server.name]
            for server in self.servers_of(site)
            if speaks(server, secure)
        }
        if ServerState.ONLINE in states:
            return Level.GOOD
        return Level.SPARE if states - {ServerState.FAILED} else Level.DEAD

    def _rank(
        self,
        sites: Sequence[Site],
        weights: Mapping[str, float],
        reason: Reason,
        *,
        by_view: bool = False,
        passed_on: bool = False,
    ) -> Rank:
        shares = (Share(site, weights[site.name], self._seeds[site.name]) for site in sites)
        return Rank(tuple(shares), reason, by_view, passed_on)


def _keeping(share: Share, keeps: Mapping[str, float]) -> Share:
    """Return a share that keeps what the view leaves it; a site of a later order keeps all."""
    keep = min(keeps.get(share.site.name, 1.0), 1.0)
    return Share(share.site, share.weight, share.seed, keep)


def speaks(server: Server, secure: bool | None) -> bool:
    """Return whether a server speaks what the client speaks: HTTPS, HTTP, either (None)."""
    if secure is None:
        return server.http_port is not None or server.https_port is not None
    return (server.https_port if secure else server.http_port) is not None


def speaks_external(site: Site, secure: bool | None) -> bool:
    """Return whether an external site speaks what the client speaks: nobody with HTTPS is sent to
    a place without."""
    return site.base_url.startswith("https://") or not secure


def _state(server: Server, view: View) -> ServerState:
    """Return a server's state: what its operator wants, unless it is worse."""
    seen = view.servers.get(server.name)
    state = ServerState.ONLINE if seen is None else seen.state
    if server.state is AdminState.WITHDRAWN:
        return ServerState.FAILED
    if server.state is AdminState.DRAINING and state is not ServerState.FAILED:
        return ServerState.DRAINING
    return state
