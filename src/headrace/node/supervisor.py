"""The supervisor: starts and minds the workers, holds their addresses, answers the operator.

It serves no client itself. Signals and the admin API come here; the workers follow over their
channels (see worker_pool); what else is held, and what a reload may change, is the role's.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic

import structlog

from headrace import __version__
from headrace.config.exposed_files import exposed_files
from headrace.config.problems import ConfigError
from headrace.errors import HeadraceError
from headrace.node.admin.app import AdminServer
from headrace.node.admin.token import admin_token, token_in
from headrace.node.fork_server import ForkServer
from headrace.node.launching import Launcher
from headrace.node.listeners import ReservedAddress, rebind, reserve_all
from headrace.node.network.follower import NetworkFileError, NetworkFollower
from headrace.node.questions import Questions
from headrace.node.readiness import CHECK_TIMEOUT_S, Readiness
from headrace.node.reload import NotServingError, check_reloadable, worker_config
from headrace.node.role import ConfigT, Role
from headrace.node.systemd import notify
from headrace.node.tickets.keeper import TicketKeeper, TicketSecretsError
from headrace.node.worker_pool import WorkerPool
from headrace.node.worker_problems import NONE_SERVES
from headrace.node.worker_process import Setup, State, Worker
from headrace.telemetry.facts import ServerFacts, WorkerFacts
from headrace.telemetry.logs import configure_logging
from headrace.telemetry.metrics import Snapshot
from headrace.telemetry.processes import process_use
from headrace.telemetry.report import Report

HEARTBEAT_S = 5.0
SILENCE_CHECK_S = 1.0
EXIT_FAILED = 1
EXIT_CONFIG = 2
_WRONG_FILE = (ConfigError, NetworkFileError, TicketSecretsError)

log = structlog.get_logger("headrace.supervisor")


class Supervisor(Generic[ConfigT]):
    """One running node. `reread` reads the configuration again, or raises HeadraceError."""

    def __init__(
        self,
        role: Role[ConfigT],
        config: ConfigT,
        reread: Callable[[], ConfigT],
        forks: ForkServer | None = None,
    ) -> None:
        self.config = config
        self._role = role
        self._reread = reread
        self._started = time.time()
        self._up = False
        self._reloads_succeeded = 0
        self._reloads_failed = 0
        self._launcher = Launcher(role.worker_command, forks)
        self._pool = WorkerPool(self._launcher, welcome=self._welcome)
        self._readiness = Readiness(lambda: self._pool.questions.unsound(CHECK_TIMEOUT_S))
        self._version = 1
        self._tickets = TicketKeeper(lambda: self._pool.everyone)
        self._held: list[ReservedAddress] = []
        self._reloading = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._admin: AdminServer | None = None
        self._network: NetworkFollower | None = None
        self._certificates: dict[str, float] = {}

    async def run(self) -> int:
        """Serve until it is stopped; return the process's exit code (see the function `run`)."""
        self._watch_signals()
        starting = asyncio.create_task(self._start())
        stop_asked = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([starting, stop_asked], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            self._pool.kill()
        try:
            await starting
            await stop_asked
            await self._stop()
        except (HeadraceError, OSError) as error:
            if not self._stopping.is_set():
                log.error("start_failed", problem=str(error))
                wrong_file = isinstance(error, _WRONG_FILE)
                return EXIT_CONFIG if wrong_file else EXIT_FAILED
        finally:
            stop_asked.cancel()
            await self._leave()
        return 0

    # What the admin API asks of the node.

    @property
    def report(self) -> type[Report]:
        """The model of the report, with what the role adds."""
        return self._role.report

    @property
    def workers(self) -> Questions:
        """All workers, for a role's questions to them."""
        return self._pool.questions

    def not_ready_because(self) -> str | None:
        """Return why not to send clients here now; None when they are welcome."""
        if self._stopping.is_set():
            return "stopping"
        if not self._up:
            return "starting"
        if self._pool.draining:
            return "draining"
        if not self._pool.ready:
            return NONE_SERVES
        return self._role.problem() or None

    def impairment(self) -> str:
        """Return why clients would be better off elsewhere, though they are served; "": nothing."""
        return self._role.impairment()

    async def readiness(self) -> str | None:
        """Return the same after a question to every worker (see readiness)."""
        return self.not_ready_because() or await self._readiness.problem()

    async def totals(self) -> Snapshot:
        """Return the counts of all workers since the node started."""
        return await self._pool.totals()

    async def facts(self) -> ServerFacts:
        """Return the state of the node, its processes and its role."""
        own = await self._role.facts()
        return ServerFacts(
            version=__version__,
            python=platform.python_version(),
            started=self._started,
            not_ready_because=await self.readiness(),
            draining=self._pool.draining or self._stopping.is_set(),
            workers_wanted=self._pool.wanted,
            workers_leaving=self._pool.leaving,
            worker_exits=self._pool.exits,
            reloads_succeeded=self._reloads_succeeded,
            reloads_failed=self._reloads_failed,
            listening=tuple(self._urls()),
            workers=tuple(self._worker_facts()),
            role=own,
            network=None if self._network is None else self._network.facts(),
            certificates=self._certificates,
            ticket_secret=self._tickets.id_in_force,
        )

    def drain(self) -> None:
        """Send clients elsewhere: not ready, and connections close as they fall idle."""
        log.info("drain")
        self._pool.drain()

    def undrain(self) -> None:
        """Serve as before."""
        log.info("undrain")
        self._pool.undrain()

    async def reload(self) -> int:
        """Read the configuration again and work by it; return its version here.

        Raises HeadraceError when it cannot be used; the old one then stays in force everywhere.
        """
        async with self._reloading:
            if not self._up or self._stopping.is_set():
                raise NotServingError(
                    "no reload while it starts or stops: ask again when it serves"
                )
            notify("RELOADING=1")
            try:
                await self._change(await asyncio.to_thread(self._reread))
                await self._look_at_files()
            except (HeadraceError, OSError) as error:
                self._reloads_failed += 1
                log.error("reload_failed", problem=str(error))
                raise
            finally:
                notify("READY=1")
            self._reloads_succeeded += 1
            log.info("reloaded", version=self._version, listening=self._urls())
            return self._version

    # Life.

    async def _start(self) -> None:
        config = self.config
        self._held = reserve_all(config.listeners)
        await self._role.open(config)
        self._tickets.use(self._tickets.read(config.tls.ticket_secret_file))
        if config.network is not None:
            self._network = await NetworkFollower.open(config.network, config.state_dir)
        if config.admin is not None:
            admin = config.admin
            token = admin_token(admin.token, admin.token_file, config.state_dir)
            reports = admin.report_token_file
            self._admin = await AdminServer.open(
                admin.parsed,
                self,
                token,
                self._role.operations(self),
                None if reports is None else token_in(reports),
            )
        await self._pool.start(self._setup(config, self._held), config.workers)
        await self._look_at_files()
        self._up = True
        self._role.started()
        if self._network is not None:
            self._in_background(self._network.follow(), "network")
        self._in_background(self._heartbeat(), "heartbeat")
        self._in_background(self._watch_silence(), "silence")
        self._in_background(self._tickets.follow(), "tickets")
        log.info(
            "ready",
            version=__version__,
            listening=self._urls(),
            admin=None if self._admin is None else self._admin.url,
            workers=config.workers,
            role=self._role.name,
            node_id=config.node_id,
            state_dir=str(config.state_dir),
        )
        notify("READY=1")

    async def _look_at_files(self) -> None:
        """Note until when certificates hold, and warn of secrets that others can read."""
        certificates, found = self.config.all_certificates, {}
        if certificates:
            from headrace.node.certificate_expiry import expiries  # cryptography takes its time

            found = await asyncio.to_thread(expiries, certificates)
        self._certificates = found
        for exposed in await asyncio.to_thread(exposed_files, self.config):
            log.warning("secret_file_exposed", file=str(exposed.path), problem=str(exposed))

    async def _change(self, config: ConfigT) -> None:
        fixed = self._role.fixed
        check_reloadable(self.config, config, fixed(self.config), fixed(config))
        tickets = self._tickets.read(config.tls.ticket_secret_file)
        change = await self._role.prepare(config)
        added: list[ReservedAddress] = []
        try:
            wanted, added = rebind(self._held, config.listeners)
            self._version += 1
            await self._pool.reload(self._setup(config, wanted), config.workers)
        except BaseException:
            for reservation in added:
                reservation.release()
            change.abandon()
            raise
        change.commit()
        self._tickets.use(tickets)
        kept = {reservation.socket for reservation in wanted}
        for reservation in self._held:
            if reservation.socket not in kept:
                reservation.release()
        self.config, self._held = config, wanted
        configure_logging(config.log_level)

    async def _stop(self) -> None:
        deadline_s = self.config.drain_timeout_s
        notify(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int((deadline_s + 10) * 1e6)}")
        log.info("stopping", drain_timeout_s=deadline_s)
        self._release()
        await self._pool.stop(deadline_s)

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._admin is not None:
            await self._admin.close()
        self._release()
        if self._network is not None:
            await self._network.close()
        await self._role.close()
        self._launcher.close()
        log.info("stopped")

    async def _heartbeat(self) -> None:
        served, unsound = True, None
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._pool.questions.refresh()
            notify("WATCHDOG=1")
            if self._stopping.is_set():
                continue
            if served and not self._pool.ready:
                log.error("no_worker_serves", workers_wanted=self._pool.wanted)
            elif self._pool.ready and not served:
                log.info("workers_serve_again")
            served = self._pool.ready
            before, unsound = unsound, await self.readiness()
            if unsound != before:
                log.warning("readiness_changed", ready=unsound is None, problem=unsound)

    async def _watch_silence(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_CHECK_S)
            self._pool.kill_silent(asyncio.get_running_loop().time())

    # Signals.

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop_asked)
        loop.add_signal_handler(signal.SIGINT, self._stop_asked)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked)
        loop.add_signal_handler(signal.SIGUSR1, self._reopen_asked)

    def _stop_asked(self) -> None:
        if self._stopping.is_set():
            log.warning("stopping_now")
            self._pool.kill()
        self._stopping.set()

    def _reload_asked(self) -> None:
        if self._up and not self._stopping.is_set():
            self._in_background(self._reload_at_signal(), "reload")

    async def _reload_at_signal(self) -> None:
        # The failure is in the log; no one else waits for it.
        with contextlib.suppress(HeadraceError, OSError):
            await self.reload()

    def _reopen_asked(self) -> None:
        log.info("reopen_logs")
        self._pool.reopen_logs()

    # Small parts.

    def _welcome(self, worker: Worker) -> None:
        self._tickets.welcome(worker)
        if self._network is not None:
            self._network.welcome(worker)

    def _setup(self, config: ConfigT, held: Sequence[ReservedAddress]) -> Setup:
        return Setup(
            version=self._version,
            config=worker_config(config),
            bindings=tuple(reservation.binding for reservation in held),
            descriptors=tuple(
                reservation.socket.fileno()
                for reservation in held
                if reservation.binding.host is None
            ),
            drain_timeout_s=config.drain_timeout_s,
        )

    def _worker_facts(self) -> list[WorkerFacts]:
        found = []
        for worker in self._pool.workers:
            use = process_use(worker.pid)
            found.append(
                WorkerFacts(
                    number=worker.number,
                    pid=worker.pid,
                    ready=worker.state is State.READY,
                    started=worker.started,
                    cpu_s=None if use is None else use.cpu_s,
                    resident_bytes=None if use is None else use.resident_bytes,
                )
            )
        return found

    def _urls(self) -> list[str]:
        return [reservation.url for reservation in self._held]

    def _release(self) -> None:
        for reservation in self._held:
            reservation.release()
        self._held = []

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
