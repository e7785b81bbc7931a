"""The edge's part of a worker process: the store, services, access log and what watches them.

Run as `python -m headrace.edge.worker <descriptor>`; the descriptor is the control channel.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from headrace.config import Config
from headrace.edge.context import WorkerContext
from headrace.edge.housekeeping import Housekeeping
from headrace.edge.load.client_load import ClientLoad
from headrace.edge.messages import GetReasons, ReasonsAre, read_question
from headrace.edge.peers.membership import secrets_of
from headrace.edge.request.accounting import Accounting
from headrace.edge.request.handler import EdgeHandler
from headrace.edge.service.services import Services, compile_services
from headrace.errors import HeadraceError
from headrace.http.server.context import ServerContext
from headrace.http.server.exchange import Handler
from headrace.node.access_logs import access_log_path, open_access_log
from headrace.node.live.answers import live_answer
from headrace.node.role import WorkerRole
from headrace.node.worker import run_worker
from headrace.store import Store, StoreSettings
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.telemetry.worker_load import GetLoad
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View
from headrace.upstream.peering import PeerSecrets
from headrace.upstream.sockets import SocketNetwork

NO_KEY = bytes(16)


class EdgeWorker(WorkerRole[Config]):
    """The edge in one worker process: a WorkerRole."""

    model = Config

    def __init__(self) -> None:
        self.metrics = WorkerMetrics()
        self._loop: asyncio.AbstractEventLoop
        self._edge: WorkerContext | None = None
        self._accounting: Accounting
        self._housekeeping: Housekeeping

    def open(self, config: Config, loop: asyncio.AbstractEventLoop) -> Handler:
        """Open store and access log; return who answers requests.

        Raises HeadraceError or OSError.
        """
        self._loop = loop
        services = compile_services(config, self.metrics.services)
        store = Store.open(config.cache_dir, store_settings(config))
        access_log = open_access_log(config.access_log)
        edge = self._edge = WorkerContext(
            loop, config, services, store, self.metrics, SocketNetwork(loop)
        )
        load = ClientLoad(edge.classified)
        self._accounting = Accounting(self.metrics, access_log, load)
        edge.use_secrets(*peer_secrets(config))
        self._show(config)
        self._housekeeping = Housekeeping(edge)
        return EdgeHandler(edge, self._accounting)

    def prepare(self, config: Config) -> EdgeChange:
        """Compile services and open the access log. Raises HeadraceError or OSError."""
        services = compile_services(config, self.metrics.services)
        secrets = peer_secrets(config)
        # A log whose file stays the same continues: its reader may hang, and each thread that waits
        # for it would stay.
        same = access_log_path(config.access_log) == self._accounting.log.path
        log = None if same else open_access_log(config.access_log)
        return EdgeChange(self, config, services, log, secrets)

    def adopt(
        self,
        config: Config,
        services: Services,
        access_log: AccessLog | None,
        secrets: tuple[Path | None, PeerSecrets],
    ) -> None:
        """Work by a new configuration; `access_log` is None where the old one continues."""
        self.edge.adopt(config, services)
        self.edge.use_secrets(*secrets)
        self._show(config)
        accounting = self._accounting
        if access_log is None:
            options = config.access_log
            accounting.log.adopt(options.sample, options.client_address, cmcd=options.cmcd)
            return
        accounting.note_losses()
        old, accounting.log = accounting.log, access_log
        self._loop.run_in_executor(None, old.close)

    @property
    def edge(self) -> WorkerContext:
        """What requests share; only after `open`."""
        assert self._edge is not None
        return self._edge

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Ask the servers of this network, by this view of its state."""
        changed = self._accounting.load.adopt(network)
        self.edge.adopt_network(network, view)
        if changed:
            self.edge.hot.forget_classes()

    def drain(self, *, draining: bool) -> None:
        """Note whether clients are to go elsewhere."""
        self.edge.draining = draining

    def problem(self) -> str:
        """Return why the store does not answer; "" if it does."""
        try:
            self.edge.store.lookup(NO_KEY, b"")
        except (HeadraceError, OSError) as error:
            return f"its store does not answer: {error}"
        return ""

    def snapshot(self) -> Snapshot:
        """Return the worker's counts, with what the logs lost."""
        if self._edge is not None:
            self._accounting.note_losses()
        return self.metrics.snapshot()

    def answer(self, question: msgspec.Raw, server: ServerContext) -> msgspec.Struct | None:
        """Answer those who watch live, or steer. Raises msgspec.DecodeError."""
        asked, accounting = read_question(question), self._accounting
        match asked:
            case GetReasons(key_hashes=keys):
                return ReasonsAre([accounting.reasons.of(key) for key in keys])
            case GetLoad():
                return accounting.load.answer(asked, self.metrics)
            case _:
                return live_answer(asked, accounting.watch, server, self._client_address)

    def reopen_logs(self) -> None:
        """Open the access log again. Raises HeadraceError."""
        self._accounting.log.reopen()

    async def close(self) -> None:
        """Release everything."""
        edge = self._edge
        if edge is not None:
            self._housekeeping.stop()
            self._accounting.log.close()
            edge.stop()
            await asyncio.sleep(0)
            edge.store.close()

    def _show(self, config: Config) -> None:
        """Show clients' addresses to those who watch live as the access log does."""
        self._client_address = config.access_log.client_address
        self._accounting.watch.show_addresses(self._client_address)


class EdgeChange:
    """A new configuration, its services compiled and its access log open."""

    def __init__(
        self,
        worker: EdgeWorker,
        config: Config,
        services: Services,
        access_log: AccessLog | None,
        secrets: tuple[Path | None, PeerSecrets],
    ) -> None:
        self._worker = worker
        self._config = config
        self._services = services
        self._access_log = access_log
        self._secrets = secrets

    def commit(self) -> None:
        """Work by it."""
        self._worker.adopt(self._config, self._services, self._access_log, self._secrets)

    def abandon(self) -> None:
        """End the access log that was opened for it."""
        if self._access_log is not None:
            self._access_log.end()


def peer_secrets(config: Config) -> tuple[Path | None, PeerSecrets]:
    """Return the file of the network's secrets, and what is in it. Raises HeadraceError."""
    member = config.network
    if member is None or member.secret_file is None:
        return None, PeerSecrets()
    return member.secret_file, secrets_of(member.secret_file)


def store_settings(config: Config) -> StoreSettings:
    """Return the store's settings for a worker, which verifies checksums itself, on a thread."""
    options = config.store
    return StoreSettings(
        size_bytes=options.size_bytes,
        slice_bytes=options.slice_bytes,
        inline_bytes=options.inline_bytes,
        caller_verifies=options.checksum == "on_open",
    )


def serve(descriptor: int) -> int:
    """Be a worker, whose control channel is `descriptor`; return the exit code."""
    return run_worker(EdgeWorker, descriptor)


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[-1])))
