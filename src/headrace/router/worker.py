"""The router's part of a worker process. Run as `python -m headrace.router.worker <descriptor>`;
the descriptor is the control channel.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec

from headrace.config.router.model import RouterConfig
from headrace.errors import HeadraceError
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import Handler
from headrace.node.access_logs import access_log_path, open_access_log
from headrace.node.live.answers import live_answer
from headrace.node.live.messages import LiveQuestion
from headrace.node.role import WorkerRole
from headrace.node.worker import run_worker
from headrace.router.accounting import Accounting
from headrace.router.adoption import Adoption
from headrace.router.context import RouterContext
from headrace.router.debug_access import DebugAccess
from headrace.router.dns.servers import DnsChange, DnsServers
from headrace.router.geo import FollowedGeo
from headrace.router.handler import RouterHandler
from headrace.router.network import RouterNetwork
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.telemetry.worker_load import GetLoad, Instance, WorkerLoad, router_counts
from headrace.topology.geo import GeoTable
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View

_questions: msgspec.json.Decoder[LiveQuestion | GetLoad] = msgspec.json.Decoder(
    LiveQuestion | GetLoad
)


class RouterWorker(WorkerRole[RouterConfig]):
    """The router in one worker process."""

    model = RouterConfig

    def __init__(self) -> None:
        self.metrics = WorkerMetrics()
        self._instance = Instance()
        self._loop: asyncio.AbstractEventLoop
        self._context: RouterContext
        self._accounting: Accounting | None = None
        self._dns: DnsServers | None = None
        self._geo: FollowedGeo | None = None
        self._in_force: tuple[NetworkSnapshot, View] | None = None
        self._adoption: Adoption[RouterNetwork] | None = None

    def open(self, config: RouterConfig, loop: asyncio.AbstractEventLoop) -> Handler:
        """Open the access log, the geographic file and DNS; return who answers requests.

        Raises HeadraceError or OSError.
        """
        self._loop = loop
        context = self._context = RouterContext(config, DebugAccess.of(config.debug), self.metrics)
        self._adoption = Adoption(loop, context.network_under, self._use)
        if config.geo_file is not None:
            self._geo = FollowedGeo(config.geo_file, config.state_dir, self._adopt_geo)
            self._geo.follow(loop)
        log = open_access_log(config.access_log)
        self._accounting = Accounting(self.metrics, context.tallies, log)
        self._show(config)
        self._dns = DnsServers(loop, self.metrics, context.tallies)
        self._dns.prepare(config.dns, config.state_dir).commit()
        return RouterHandler(context, self._accounting)

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Work by this description and this view: at once by the first, else when it is worked
        out.
        """
        first = self._in_force is None
        self._in_force = (network, view)
        if first:
            self._use(self._context.network_under(network, view))
        else:
            assert self._adoption is not None
            self._adoption.begin(network, view)

    def _use(self, network: RouterNetwork) -> None:
        self._context.use_network(network)
        if self._dns is not None:
            self._dns.adopt_network(network.topology, network)

    def _adopt_geo(self, table: GeoTable) -> None:
        """Work by another geographic file."""
        self._context.geo = table
        if self._in_force is not None:
            self.adopt_network(*self._in_force)

    def prepare(self, config: RouterConfig) -> RouterChange:
        """Read the debug token, open the access log and DNS. Raises HeadraceError or OSError."""
        assert self._accounting is not None
        assert self._dns is not None
        debug = DebugAccess.of(config.debug)
        # A log whose file stays the same continues: its reader may hang, and each thread that waits
        # for it would stay.
        same = access_log_path(config.access_log) == self._accounting.log.path
        dns = self._dns.prepare(config.dns, config.state_dir)
        try:
            access_log = None if same else open_access_log(config.access_log)
        except (HeadraceError, OSError):
            dns.abandon()
            raise
        return RouterChange(self, config, debug, access_log, dns)

    def adopt(self, config: RouterConfig, debug: DebugAccess, access_log: AccessLog | None) -> None:
        """Work by a new configuration; `access_log` is None where the old one continues."""
        assert self._accounting is not None
        self._context.adopt(config, debug)
        self._show(config)
        accounting = self._accounting
        if access_log is None:
            options = config.access_log
            accounting.log.adopt(options.sample, options.client_address, cmcd=options.cmcd)
            return
        accounting.note_losses()
        old, accounting.log = accounting.log, access_log
        self._loop.run_in_executor(None, old.close)

    def _show(self, config: RouterConfig) -> None:
        """Show clients' addresses to those who watch live as the access log does."""
        assert self._accounting is not None
        self._client_address = config.access_log.client_address
        self._accounting.watch.show_addresses(self._client_address)

    def snapshot(self) -> Snapshot:
        """Return the worker's counts."""
        if self._dns is not None:
            self._dns.note_counts()
        return self.metrics.snapshot() if self._accounting is None else self._accounting.snapshot()

    def answer(self, question: msgspec.Raw, server: ServerContext) -> msgspec.Struct | None:
        """Answer those who watch live, or steer. Raises msgspec.DecodeError."""
        asked = _questions.decode(question)
        if isinstance(asked, GetLoad):
            return self._load()
        assert self._accounting is not None
        return live_answer(asked, self._accounting.watch, server, self._client_address)

    def _load(self) -> WorkerLoad:
        if self._dns is not None:
            self._dns.note_counts()
        load = router_counts(self.metrics, self._instance)
        load.decisions = self._context.tallies.decisions()
        return load

    def reopen_logs(self) -> None:
        """Open the access log again. Raises HeadraceError."""
        if self._accounting is not None:
            self._accounting.log.reopen()

    async def close(self) -> None:
        """Release everything."""
        if self._adoption is not None:
            self._adoption.close()
        if self._accounting is not None:
            self._accounting.log.close()
        if self._dns is not None:
            self._dns.close()
        if self._geo is not None:
            self._geo.close()


class RouterChange:
    """A new configuration, its debug token read, its access log open and DNS prepared."""

    def __init__(
        self,
        worker: RouterWorker,
        config: RouterConfig,
        debug: DebugAccess,
        access_log: AccessLog | None,
        dns: DnsChange,
    ) -> None:
        self._worker = worker
        self._config = config
        self._debug = debug
        self._access_log = access_log
        self._dns = dns

    def commit(self) -> None:
        """Work by it."""
        self._worker.adopt(self._config, self._debug, self._access_log)
        self._dns.commit()

    def abandon(self) -> None:
        """End the access log that was opened for it, and release DNS's addresses."""
        self._dns.abandon()
        if self._access_log is not None:
            self._access_log.end()


def serve(descriptor: int) -> int:
    """Be a worker, whose control channel is `descriptor`; return the exit code."""
    return run_worker(RouterWorker, descriptor)


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[-1])))
