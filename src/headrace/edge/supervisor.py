"""The supervisor: starts and minds the workers, holds addresses and store, answers the operator.

It serves no client itself. Signals and the admin door come here; the workers follow over their
channels (see workers), and what a reload may change is decided in reloading.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from headrace import __version__
from headrace.config import Config
from headrace.edge.admin.app import AdminDoor
from headrace.edge.admin.auth import admin_token
from headrace.edge.bindings import Reservation, rebind, reserve_all
from headrace.edge.opening import open_store, raise_file_limit
from headrace.edge.reloading import check_reloadable, worker_config
from headrace.edge.systemd import notify
from headrace.edge.ticket_keys import TicketKey
from headrace.edge.worker_process import WORKER_COMMAND, Setup, State
from headrace.edge.workers import WorkerPool
from headrace.errors import HeadraceError
from headrace.measure.exposition import ServerFacts, WorkerFacts
from headrace.measure.logs import configure_logging
from headrace.measure.metrics import Snapshot
from headrace.measure.processes import process_use

HEARTBEAT_S = 5.0
BROOM_PAUSE_S = 1.0
SIGNALS_TO_STOP = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger("headrace.supervisor")


class Supervisor:
    """One running server. `reread` gives the config anew at a reload, or raises HeadraceError."""

    def __init__(
        self,
        config: Config,
        reread: Callable[[], Config],
        *,
        worker_command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self.config = config
        self._reread = reread
        self._started = time.time()
        self._reloads_succeeded = 0
        self._reloads_failed = 0
        self._pool = WorkerPool(worker_command)
        self._version = 1
        self._ticket_key = TicketKey.generate(self._started)
        self._held: list[Reservation] = []
        self._reloading = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._door: AdminDoor | None = None

    async def run(self) -> int:
        """Serve until told to stop; the process's exit code."""
        self._watch_signals()
        starting = asyncio.create_task(self._start())
        told_to_stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([starting, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
        code = 0
        if not starting.done():
            self._pool.kill()
        try:
            await starting
            await told_to_stop
            await self._stop()
        except HeadraceError as error:
            if not self._stopping.is_set():
                log.error("start_failed", problem=str(error))
                code = 1
        finally:
            told_to_stop.cancel()
            await self._leave()
        return code

    # What the admin door asks of the server.

    @property
    def ready(self) -> bool:
        """Whether to send clients here."""
        return self._pool.ready and not self._pool.draining and not self._stopping.is_set()

    @property
    def draining(self) -> bool:
        return self._pool.draining or self._stopping.is_set()

    async def totals(self) -> Snapshot:
        """The counts of all workers since the server started."""
        return await self._pool.totals()

    def facts(self) -> ServerFacts:
        """The state of the server and its processes."""
        workers = []
        for worker in self._pool.workers:
            use = process_use(worker.pid)
            workers.append(
                WorkerFacts(
                    number=worker.number,
                    pid=worker.pid,
                    ready=worker.state is State.READY,
                    started=worker.started,
                    cpu_s=None if use is None else use.cpu_s,
                    resident_bytes=None if use is None else use.resident_bytes,
                )
            )
        return ServerFacts(
            version=__version__,
            started=self._started,
            draining=self.draining,
            workers_wanted=self._pool.wanted,
            worker_exits=self._pool.exits,
            reloads_succeeded=self._reloads_succeeded,
            reloads_failed=self._reloads_failed,
            generation=self.store.generation(),
            listening=tuple(reservation.url for reservation in self._held),
            workers=tuple(workers),
        )

    def drain(self) -> None:
        """Ask clients to go elsewhere: not ready, and connections close as they fall idle."""
        log.info("drain")
        self._pool.drain()

    def undrain(self) -> None:
        log.info("undrain")
        self._pool.undrain()

    async def reload(self) -> None:
        """Read the config again and work by it, or raise HeadraceError and change nothing."""
        async with self._reloading:
            notify("RELOADING=1")
            try:
                await self._reload()
            except HeadraceError as error:
                self._reloads_failed += 1
                log.error("reload_failed", problem=str(error))
                raise
            finally:
                notify("READY=1")
            self._reloads_succeeded += 1
            log.info("reloaded", version=self._version, listening=self._urls())

    # Life.

    async def _start(self) -> None:
        config = self.config
        raise_file_limit(config)
        self._held = reserve_all(config.listeners)
        self.store = await asyncio.to_thread(open_store, config)
        if config.admin is not None:
            token = admin_token(config.admin.token, config.admin.token_file, config.cache_dir)
            self._door = await AdminDoor.open(config.admin.parsed, self, token)
        await self._pool.start(self._setup(config, self._held), config.workers)
        self._in_background(self._heartbeat(), "heartbeat")
        self._in_background(self._sweep(), "broom")
        log.info(
            "ready",
            version=__version__,
            listening=self._urls(),
            admin=None if self._door is None else self._door.url,
            workers=config.workers,
            cache_dir=str(config.cache_dir),
        )
        notify("READY=1")

    async def _stop(self) -> None:
        notify("STOPPING=1")
        log.info("stopping", drain_timeout_s=self.config.drain_timeout_s)
        self._release()
        await self._pool.stop(self.config.drain_timeout_s)

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._door is not None:
            await self._door.close()
        self._release()
        store = getattr(self, "store", None)
        if store is not None:
            await asyncio.to_thread(store.close)
        log.info("stopped")
