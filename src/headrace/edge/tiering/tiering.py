"""From a request to the servers of the network that are asked for it before its pool.

Only a member of a network has this: see `FillEnvironment.tiering`. All of it is on the way of what
is not stored; a hit knows nothing of it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from headrace.config.network_member import EdgeMember, TieringOptions
from headrace.edge.service.resource import Resource
from headrace.edge.tiering.popularity import Popularity
from headrace.edge.tiering.servers import Servers
from headrace.http.message import Field
from headrace.topology.classify import Classes, Classified
from headrace.topology.model import Server, StoreBy, Topology
from headrace.topology.placement import Placement
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.tiers import Tiers, holds_copy, sources, stored_here
from headrace.topology.view import View
from headrace.upstream.endpoint import Endpoint, origin_context
from headrace.upstream.peering import Peer
from headrace.upstream.retry_budget import RetryBudget
from headrace.upstream.sources import PeerSource, SourceRules, Sources
from headrace.upstream.target import Target

log = structlog.get_logger()

Sign = Callable[[bytes, bytes, bytes, float], list[Field]]
"""Returns the fields that say who asks another server, by method, host, target and Unix time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to ask for one request. `siblings`: servers of this site are among them.

    `owns`: this server holds the site's copy, for there is nobody in the site to ask; otherwise
    what it keeps is up to `store`, and after `popular_after` requests.
    """

    peers: tuple[PeerSource, ...]
    owns: bool
    siblings: bool
    store: StoreBy
    popular_after: int


class Tiering:
    """What one worker knows of its network, for what it has to fetch."""

    def __init__(self) -> None:
        """Know nothing of a network until `adopt`."""
        self._files = TieringOptions()
        self.servers = Servers(self._context)
        self._popularity = Popularity()
        self._hedging = RetryBudget(SourceRules().hedges)
        self._rules = SourceRules()
        self._topology: Topology | None = None
        self._placement = Placement(Topology())
        self._classes: Classes
        self._me: Server
        self.most_hops = 0

    def follow_config(self, member: EdgeMember) -> None:
        """Ask by these limits from now on."""
        options = member.tiering
        self._rules = SourceRules(
            first_byte_s=options.first_byte_s,
            answer_s=options.answer_s,
            connect_s=options.connect_s,
            between_bytes_s=options.between_bytes_s,
            hedges=options.hedges,
            concurrent=options.concurrent,
        )
        self._files = options
        self._hedging.ratio = options.hedges
        self._popularity.window_s = options.popular_within_s
        self.most_hops = member.hops
        if self._topology is not None:
            self.servers.adopt(self._topology.servers, self._rules)

    def adopt(self, network: NetworkSnapshot, view: View, name: str) -> None:
        """Work by this description and this view from now on, as the server `name` of it."""
        topology = network.topology
        if topology is not self._topology:
            self._me = topology.server(name)
            self._classes = Classes(topology.classes, topology.servers)
            self._topology = topology
            self.servers.adopt(topology.servers, self._rules)
        self._placement = Placement(topology, view, self._placement, network.rings)
        here = self._me.site
        self._placement.prepare((here, *topology.site(here).parents))

    @property
    def me(self) -> Server | None:
        """Return who this edge is in the network; None before it is known."""
        return None if self._topology is None else self._me

    def _context(self, server: Server) -> ssl.SSLContext | None:
        """Return what a server is asked by TLS with; None without authorities, or without the
        certificate that this one is to show.
        """
        files = self._files
        shown = None
        if files.cert is not None and files.key is not None:
            shown = (str(files.cert), str(files.key))
        try:
            return origin_context(
                None if files.ca is None else str(files.ca), verify=True, shown=shown
            )
        except (OSError, ssl.SSLError, ValueError) as error:
            log.error("peer_tls_unusable", server=server.name, problem=str(error))
            return None

    def endpoints(self) -> set[Endpoint]:
        """Return where connections may be kept to."""
        return self.servers.endpoints()

    def classified(self, resource: Resource) -> Classified | None:
        """Return the class and the shard of a resource; None: it is of no class."""
        if self._topology is None:
            return None
        return self._classes.of(resource.authority, resource.path)

    def plan(self, resource: Resource, asker: Peer | None, now: float) -> Plan | None:
        """Return whom to ask for a resource, and what this server is to it; None for a request
        that the network has no part in.

        `asker` is the server that asks for it (None: a client); `now` is monotonic.
        """
        topology = self._topology
        if topology is None:
            return None
        found = self._classes.of(resource.authority, resource.path)
        if found is None or not found.content.tiering:
            return None
        me, content = self._me, found.content
        asked_by_site = None if asker is None else asker.site
        tiers = sources(
            topology, self._placement, me, content, found.shard,
            asked_by_site=asked_by_site,
            hops=0 if asker is None else asker.hops,
            most_hops=self.most_hops,
        )  # fmt: skip
        peers = self._peers(tiers)
        here = [peer for peer in peers if peer.site == me.site]
        usable = any(peer.state.health.usable(now) for peer in here)
        owns = holds_copy(tiers, me.site, asked_by_site, usable)
        return Plan(peers, owns, bool(here), content.store, content.popular_after)

    def _peers(self, tiers: Tiers) -> tuple[PeerSource, ...]:
        here = self._me.site
        found = (
            self.servers.source(server, sibling=server.site == here) for server in tiers.servers
        )
        return tuple(peer for peer in found if peer is not None)

    def stores(self, plan: Plan, resource: Resource, now: float) -> bool:
        """Count a request of a client; return whether its answer is to be stored here."""
        return stored_here(
            plan.store,
            plan.popular_after,
            plan.owns,
            lambda: self._popularity.count(resource.key_hash, now),
        )

    def with_sources(
        self,
        target: Target,
        plan: Plan,
        sign: Sign,
        authority: bytes,
        request_target: bytes,
    ) -> Target:
        """Return a target with the servers of a plan before its pool. They are asked for
        `request_target` of `authority`.
        """
        if not plan.peers:
            return target
        found = Sources(plan.peers, self._rules, self._hedging, authority, request_target, sign)
        # Whoever asks the pool in the end does what else is to be done there.
        return msgspec.structs.replace(target, sources=found, mirror=None)
