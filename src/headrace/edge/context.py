"""What all requests of one worker share: store, upstreams, running fills, what is open and hot."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

from headrace.cache.record import StoredResponse
from headrace.config import Config
from headrace.config.edge.limits_check import open_files_within
from headrace.edge.clock import Clock
from headrace.edge.fill.environment import FillEnvironment
from headrace.edge.fill.table import Table
from headrace.edge.peers.membership import Membership, Sign
from headrace.edge.peers.purges import newest_of, times_of
from headrace.edge.purge_allowance import PEER_RULES_AT_ONCE, PEER_RULES_PER_S, Allowance
from headrace.edge.service.resource import Resource, Resources
from headrace.edge.service.services import Services
from headrace.edge.trimming import Trimming
from headrace.edge.upstreams import Upstreams
from headrace.store import Store, matches
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.classify import Classified
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View
from headrace.upstream.client import OriginClient, OriginTimeouts
from headrace.upstream.network import Network
from headrace.upstream.peering import Peer, PeerSecrets


class WorkerContext(FillEnvironment):
    """One worker's shared state. Created once; `adopt` takes a new configuration."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        services: Services,
        store: Store,
        metrics: WorkerMetrics,
        network: Network,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or Clock()
        self.origin = OriginClient(loop, network, OriginTimeouts())
        upstreams = Upstreams(loop, self.origin, metrics, unix_time=clock.now, chance=clock.chance)
        super().__init__(loop, config, store, metrics, upstreams, clock)
        self.fills = Table(self)
        self.trimming = Trimming(loop, store, self.store_trouble)
        store.committer.on_behind = self.trimming.begin
        self.invalidations = Allowance()
        self.peer_purges = Allowance(PEER_RULES_PER_S, PEER_RULES_AT_ONCE)
        self.membership = Membership()
        self.purged_up_to = store.generation()
        self.adopt(config, services)

    def adopt(self, config: Config, services: Services) -> None:
        """Serve by this configuration from now on; requests that run continue by the old one."""
        self.follow_config(config)
        self.config = config
        self.services = services
        self.resources = Resources(services)
        self.upstreams.adopt(services, () if self.tiering is None else self.tiering.endpoints())
        self.metrics.services.adopt({service.name: service.tally for service in services.all})
        self.node_id_bytes = config.node_id.encode()
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        open_files = open_files_within(config.store.open_files, limit)
        self.bodies.limit = self.hot.files = open_files
        self.hot.limit(config.store.memory_bytes)
        self.slices.verifies = config.store.checksum == "on_open"
        timeouts = config.timeouts
        self.origin.timeouts = OriginTimeouts(
            connect_s=timeouts.origin_connect_s,
            first_byte_s=timeouts.origin_first_byte_s,
            between_bytes_s=timeouts.origin_between_bytes_s,
            idle_s=timeouts.origin_idle_s,
        )
        self.hot.clear()

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Ask the servers of this network from now on, as one of them."""
        member = self.config.network
        if member is not None and self.tiering is not None:
            self.tiering.adopt(network, view, member.server)
            self.membership.adopt(network.topology, member.server)
            self.signer = self._signer if self.membership.active else None

    def classified(self, resource: Resource) -> Classified | None:
        """Return the class and the shard of a resource; None: it is of no class, or there is no
        network.
        """
        return None if self.tiering is None else self.tiering.classified(resource)

    def use_secrets(self, path: Path | None, secrets: PeerSecrets) -> None:
        """Sign and believe by these secrets, which were read from a file, from now on."""
        member = self.config.network
        self.membership.certified = member is not None and member.tiering.cert is not None
        self.membership.use(path, secrets)
        self.signer = self._signer if self.membership.active else None

    def _signer(self, peer: Peer | None, resource: Resource) -> Sign:
        """Return what signs requests to servers for a resource; `peer` asks for it (None: a
        client). Raises StoreError.
        """
        purges = times_of(self.store.rules.current(), resource.key)
        if peer is not None:
            purges = newest_of(purges, peer.purges)
        return self.membership.signer(peer, purges, secure=resource.scheme == b"https")

    def apply_purges(self) -> None:
        """Drop what was purged since the last time, by any process. Raises StoreError."""
        generation = self.store.generation()
        if generation != self.purged_up_to:
            rules = self.store.rules_since(self.purged_up_to)
            self.hot.purge(rules)
            self.metrics.purges += len(rules)
            self.purged_up_to = generation

    def is_purged(self, stored: StoredResponse) -> bool:
        """Return whether a response was purged since its fill began."""
        return any(matches(rule, stored) for rule in self.store.rules_since(stored.generation))

    async def settle(self) -> None:
        """Wait until no task runs."""
        self.fills.hand_over_all()
        await self.tasks.settle()

    def stop(self) -> None:
        """Break off everything."""
        self.fills.close()
        self.store.committer.on_behind = None  # the store may outlive this
        self.trimming.stop()
        self.tasks.cancel()
        self.upstreams.stop()
        self.origin.close()
        self.slices.close()
