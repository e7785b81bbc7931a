"""The decision where a client goes: the same for redirects, DNS and content steering.

Coverage or geography names the sites, in ranks; within a rank rendezvous by weight orders them for
the client; the placement says which servers of a site hold the shard. What takes no new clients
comes last, and external sites stand in between, where the class allows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from headrace.reasons import Reason
from headrace.routing.question import MOST_AVOIDED, Candidate, Decision, Question
from headrace.routing.rendezvous import hash_network, network_bits, score, seed_of
from headrace.routing.sites import Eligible, Share, Sites
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import AdminState, ContentClass, Server, Site, SiteKind, Topology
from headrace.topology.view import NO_VIEW, ServerState, View

_FIRST_SITE_SERVERS = 3
_OTHER_SITE_SERVERS = 2
_MOST_CANDIDATES = 10


class Owners(Protocol):
    """The servers of a site for a shard, in order: the first `width` hold it."""

    @property
    def servers(self) -> tuple[Server, ...]: ...

    @property
    def width(self) -> int: ...


class Placing(Protocol):
    """Who says which servers of a site hold a shard (see `topology.placement`)."""

    def owners(self, site: str, content: ContentClass, shard: bytes) -> Owners:
        """Return the servers of a site for a shard."""
        ...


class Routing:
    """Decisions under one topology and one view."""

    def __init__(
        self,
        topology: Topology,
        placement: Placing,
        coverage: CoverageTable,
        geo: None = None,
        view: View = NO_VIEW,
    ) -> None:
        self._placement = placement
        self._coverage = coverage
        self._geo = geo
        self._sites = Sites(topology, view)
        self._default = next((each for each in topology.coverage if each.default), None)
        self._spare = frozenset(_spare_servers(topology, view))
        self._seeds = {server.name: seed_of(server.name) for server in topology.servers}

    def decide(self, question: Question) -> Decision:
        """Return where a client goes."""
        eligible = self._eligible(question.client)
        avoid = frozenset(sorted(question.avoid)[:MOST_AVOIDED])
        network = hash_network(question.client) + question.content.name.encode()
        good: list[Candidate] = []
        spare: list[Candidate] = []
        first_site: Site | None = None
        several = False
        for share in self._in_order(eligible, network):
            first_site = first_site or share.site
            several = several or any(share in rank and len(rank) > 1 for rank in eligible.ranks)
            taken = len(good)
            for candidate, wide in self._candidates(share, question, network, avoid):
                several = several or wide
                if candidate.spare or not share.weight:
                    spare.append(candidate)
                else:
                    good.append(candidate)
                most = _OTHER_SITE_SERVERS if taken else _FIRST_SITE_SERVERS
                if len(good) - taken >= most:
                    break
        inside = bool(good)
        if question.content.external:
            named = {candidate.site.name for candidate in (*good, *spare)}
            for site in self._sites.externals():
                if site.name not in named:
                    kept_from = site.name in avoid
                    (spare if kept_from else good).append(Candidate(site, None, 0.0, kept_from))
        candidates = (*good, *spare)[:_MOST_CANDIDATES]
        reason = eligible.reason
        if not candidates:
            reason = Reason.NO_SERVER
        elif not inside and candidates[0].server is None:
            reason = Reason.BY_EXTERNAL
        length = eligible.prefix_length
        if several and question.client is not None:
            length = max(length, network_bits(question.client))
        fallback = bool(candidates) and (
            candidates[0].site is not first_site or candidates[0].spare
        )
        return Decision(candidates, reason, eligible.coverage, length, fallback)

    def _eligible(self, client: bytes | None) -> Eligible:
        """Return the sites that may serve a client."""
        length = 0
        if client is not None:
            match = self._coverage.find_client(client)
            length = match.prefix_length
            if match.coverage is not None:
                ranks = self._sites.of_coverage(match.coverage)
                return Eligible(ranks, Reason.BY_COVERAGE, match.coverage.name, length)
        if self._default is not None:
            ranks = self._sites.of_coverage(self._default)
            return Eligible(ranks, Reason.BY_DEFAULT, self._default.name, length)
        return Eligible(self._sites.of_nobody(), Reason.BY_DEFAULT, "", length)

    def _in_order(self, eligible: Eligible, network: bytes) -> Iterator[Share]:
        """Yield the sites for a client: rank by rank, in a rank by rendezvous."""
        for rank in eligible.ranks:
            yield from sorted(
                rank, key=lambda each: (-score(network, each.seed, each.weight), each.site.name)
            )

    def _candidates(
        self, share: Share, question: Question, network: bytes, avoid: frozenset[str]
    ) -> Iterator[tuple[Candidate, bool]]:
        """Yield what a site offers, and whether the client's network counted for it."""
        site = share.site
        if site.kind is SiteKind.EXTERNAL:
            if question.content.external:
                yield Candidate(site, None, share.weight, site.name in avoid), False
            return
        owners = self._placement.owners(site.name, question.content, question.shard or network)
        wide = owners.width > 1 or not question.shard
        held = sorted(
            owners.servers[: owners.width],
            key=lambda server: (-score(network, self._seeds[server.name], 1.0), server.name),
        )
        for server in (*held, *owners.servers[owners.width :]):
            if _serves(server, question.secure):
                spare = server.name in self._spare or not avoid.isdisjoint((server.name, site.name))
                yield Candidate(site, server, share.weight, spare), wide


def _serves(server: Server, secure: bool | None) -> bool:
    """Return whether a server speaks what the client speaks."""
    if secure is None:
        return server.http_port is not None or server.https_port is not None
    return (server.https_port if secure else server.http_port) is not None


def _spare_servers(topology: Topology, view: View) -> Iterator[str]:
    """Yield the names of the servers that take no new clients while others can."""
    for server in topology.servers:
        state = view.servers.get(server.name)
        if server.state is AdminState.DRAINING or (
            state is not None and state.state in (ServerState.DRAINING, ServerState.FULL)
        ):
            yield server.name
