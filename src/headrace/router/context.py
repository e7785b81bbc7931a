"""What the requests of one worker share: the configuration in force, the network, what is known of
clients and URLs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from headrace.bounded import BoundedMemory
from headrace.config.router.model import RouterConfig
from headrace.http.hosts import HostTable
from headrace.router.askers import asker_memory
from headrace.router.clients import Clients
from headrace.router.debug_access import DebugAccess
from headrace.router.network import RouterNetwork
from headrace.router.sent import sent_memory
from headrace.router.tallies import Tallies
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.geo import Places
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View

HOSTS_BYTES = 256 * 1024


class RouterContext:
    """Replaced in parts, never waited for. `network` is there before the first client is; `geo`
    counts from the next one on.

    `authorities` are the normalised ones by the Host field, `askers` are clients by their address
    and Host field, and `sent` the redirects of before: each without TLS and with.
    """

    def __init__(
        self,
        config: RouterConfig,
        debug: DebugAccess,
        metrics: WorkerMetrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.metrics = metrics
        self.now = now
        self.tallies = Tallies()
        self.authorities = (_authorities(), _authorities())
        self.network: RouterNetwork
        self.geo: Places | None = None
        self.adopt(config, debug)

    def adopt(self, config: RouterConfig, debug: DebugAccess) -> None:
        """Work by a new configuration."""
        self.config = config
        self.debug = debug
        self.clients = Clients(config.trusted_proxies, config.forwarded_field)
        self.api_hosts = HostTable((pattern.encode(), True) for pattern in config.api_hosts)
        self.retry_after = b"%d" % max(1, round(config.retry_after_s))
        self.max_age_s = config.redirect_max_age_s
        self.sent = (sent_memory(), sent_memory())
        self.askers = (asker_memory(), asker_memory())

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Work by this description and this view."""
        self.use_network(self.network_under(network, view))

    def network_under(self, network: NetworkSnapshot, view: View) -> RouterNetwork:
        """Return what to work by under this description and this view; `use_network` does."""
        former: RouterNetwork | None = getattr(self, "network", None)
        return RouterNetwork(network, view, self.tallies, self.geo, former)

    def use_network(self, network: RouterNetwork) -> None:
        """Work by a network."""
        self.network = network
        self.sent = (sent_memory(), sent_memory())
        self.askers = (asker_memory(), asker_memory())


def _authorities() -> BoundedMemory[bytes | None, bytes]:
    """Return a memory of what Host fields mean, bounded in bytes."""
    return BoundedMemory(HOSTS_BYTES, lambda host, authority: len(host or b"") + len(authority))
