"""A worker process: serves clients on its own event loop, steered by the supervisor's messages.

Run as `python -m headrace.edge.worker <descriptor>`; the descriptor is the control channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog
import uvloop

from headrace.config import Config
from headrace.config.descriptors import descriptors_for_clients
from headrace.edge.context import WorkerContext
from headrace.edge.housekeeping import Housekeeping
from headrace.edge.live_view import looked
from headrace.edge.messages import read_question
from headrace.edge.request.accounting import Accounting
from headrace.edge.request.handler import EdgeHandler
from headrace.edge.service.services import compile_services
from headrace.errors import HeadraceError
from headrace.http.parser import HeadLimits
from headrace.http.server.acceptor import Listener, Server
from headrace.http.server.context import ClientTimeouts, ConnectionLimits
from headrace.node.channel import WorkerChannel
from headrace.node.listeners import open_listener
from headrace.node.messages import (
    Abandon,
    Binding,
    Check,
    Checked,
    Commit,
    Committed,
    Configure,
    Drain,
    Drained,
    Fatal,
    GetStats,
    Message,
    Prepare,
    Prepared,
    Ready,
    Refused,
    ReopenLogs,
    RoleAnswer,
    RoleNotice,
    RoleQuestion,
    Stats,
    Stop,
    Undrain,
)
from headrace.node.readiness import problem_of
from headrace.node.tls import server_context
from headrace.store import Store, StoreSettings
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.logs import configure_logging
from headrace.telemetry.metrics import WorkerMetrics
from headrace.telemetry.service_tallies import ServiceTallies
from headrace.upstream.sockets import SocketNetwork

log = structlog.get_logger()

DRAIN_LOOK_S = 0.05


class Worker:
    """One worker's life: configured once, reconfigured at will, stopped once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.metrics = WorkerMetrics()
        self.done = asyncio.Event()
        self.exit_code = 0
        self.number = -1
        self.channel: WorkerChannel
        self.edge: WorkerContext
        self.server: Server
        self._accounting: Accounting
        self._tending: Housekeeping
        self._prepared: Preparation | None = None
        self._listeners: dict[str, Listener] = {}
        self._stopping = False
        self._draining = False

    def received(self, message: Message, descriptors: list[int]) -> None:
        """Take one message from the supervisor."""
        match message:
            case Configure():
                self._configure(message, descriptors)
            case Prepare():
                self._prepare(message, descriptors)
            case Commit(version=version):
                self._commit(version)
            case Abandon():
                self._forget_preparation()
            case Drain():
                self._drain()
            case Undrain():
                self._draining = self.edge.draining = False
                self.server.undrain()
            case GetStats(number=number):
                self._accounting.note_losses()
                self.channel.send(Stats(number, self.metrics.snapshot()))
            case Check(number=number):
                problem = problem_of(self.edge, self.server) if hasattr(self, "server") else ""
                self.channel.send(Checked(number, problem))
            case ReopenLogs():
                self._reopen_logs()
            case RoleQuestion(number=number, question=raw) if hasattr(self, "server"):
                answer = self._looked(raw)
                if answer is not None:
                    encoded = msgspec.Raw(msgspec.json.encode(answer))
                    self.channel.send(RoleAnswer(number, encoded))
            case RoleNotice(notice=raw) if hasattr(self, "server"):
                self._looked(raw)
            case Stop(deadline_s=deadline_s):
                self.stop(deadline_s)
            case _:
                log.error("unexpected_message", message=type(message).__name__)

    def _looked(self, raw: msgspec.Raw) -> msgspec.Struct | None:
        question = read_question(raw)
        return looked(question, self._accounting, self.server, self._client_address)

    # Configuration.

    def _configure(self, message: Configure, descriptors: list[int]) -> None:
        self.number = message.worker
        try:
            config = Config.from_json(message.config)
            configure_logging(config.log_level, worker=self.number)
            services = compile_services(config, self.metrics.services)
            context = server_context(config, message.ticket_keys)
            store = Store.open(config.cache_dir, store_settings(config))
            access_log = open_access_log(config)
            self.edge = WorkerContext(
                self.loop, config, services, store, self.metrics, SocketNetwork(self.loop)
            )
            self._accounting = Accounting(self.metrics, access_log)
            self.server = Server(EdgeHandler(self.edge, self._accounting), self.loop)
            self._limit(config)
            self._show(config)
            self._listeners = open_listeners(message.bindings, descriptors, context)
        except (HeadraceError, OSError) as error:
            self.channel.send(Fatal(str(error)))
            self.exit_code = 1
            self.done.set()
            return
        self._tending = Housekeeping(self.edge)
        for listener in self._listeners.values():
            self.server.listen(listener)
        if message.draining:
            self._drain()
        self.channel.send(Ready(os.getpid(), list(self._listeners)))

    def _show(self, config: Config) -> None:
        """Show clients' addresses to those who look live as the access log does."""
        self._client_address = config.access_log.client_address
        self._accounting.watch.show_addresses(self._client_address)

    def _limit(self, config: Config) -> None:
        limits, timeouts = config.limits, config.timeouts
        self.server.configure(
            HeadLimits(limits.line_bytes, limits.head_bytes, limits.header_count),
            ClientTimeouts(
                head_s=timeouts.head_s,
                idle_s=timeouts.idle_s,
                tls_handshake_s=timeouts.tls_handshake_s,
                min_rate_bytes_per_s=timeouts.send_min_rate_bytes_per_s,
                rate_window_s=timeouts.rate_window_s,
            ),
            ConnectionLimits(
                limits.connections,
                limits.connections_per_address,
                limits.requests_per_connection or 2**62,
                limits.handshakes_per_address,
                descriptors_for_clients(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
            ),
        )

    def _prepare(self, message: Prepare, descriptors: list[int]) -> None:
        self._forget_preparation()
        try:
            self._prepared = Preparation(
                message,
                descriptors,
                self._listeners,
                self._accounting.log.path,
                self.metrics.services,
            )
        except (HeadraceError, OSError) as error:
            self.channel.send(Refused(message.version, str(error)))
            return
        self.channel.send(Prepared(message.version))

    def _commit(self, version: int) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is None or prepared.version != version:
            log.error("commit_without_preparation", version=version)
            return
        config = prepared.config
        configure_logging(config.log_level, worker=self.number)
        self.edge.adopt(config, prepared.services)
        self._limit(config)
        self._show(config)
        self._adopt_log(prepared)
        fresh: dict[str, Listener] = {}
        for binding in prepared.bindings:
            context = prepared.context if binding.tls else None
            listener = self._listeners.pop(binding.name, None)
            if listener is None:
                listener = prepared.opened[binding.name]
                self.server.listen(listener)
            listener.context = context
            fresh[binding.name] = listener
        for listener in self._listeners.values():
            self.server.stop_listening(listener)
        self._listeners = fresh
        self.channel.send(Committed(version))

    def _adopt_log(self, prepared: Preparation) -> None:
        fresh = prepared.access_log
        if fresh is None:
            options = prepared.config.access_log
            self._accounting.log.adopt(options.sample, options.client_address)
            return
        self._accounting.note_losses()
        old, self._accounting.log = self._accounting.log, fresh
        self.loop.run_in_executor(None, old.close)

    def _forget_preparation(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.forget()

    def _reopen_logs(self) -> None:
        try:
            self._accounting.log.reopen()
        except HeadraceError as error:
            log.error("log_not_reopened", problem=str(error))

    # The end.

    def _drain(self) -> None:
        self._draining = self.edge.draining = True
        self.server.drain()

    def stop(self, deadline_s: float) -> None:
        """Finish what runs, at most for `deadline_s` seconds, then end."""
        if self._stopping:
            return
        self._stopping = True
        if not hasattr(self, "server"):
            self.done.set()
            return
        for listener in self._listeners.values():
            self.server.stop_listening(listener)
        self._listeners = {}
        self._drain()
        self.edge.tasks.track(self.loop.create_task(self._end(deadline_s)))

    async def _end(self, deadline_s: float) -> None:
        until = self.loop.time() + deadline_s
        while self.server.connections and self.loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(DRAIN_LOOK_S)
        self.server.close()
        self._tending.stop()
        self.channel.send(Drained(self.metrics.snapshot()))
        self.done.set()

    def supervisor_gone(self) -> None:
        """Nobody restarts or reconfigures this worker any more: end in good order."""
        self.stop(self.edge.config.drain_timeout_s if hasattr(self, "edge") else 0.0)

    async def close(self) -> None:
        """Let go of everything."""
        self.channel.close()
        if hasattr(self, "edge"):
            self._accounting.log.close()
            self.edge.stop()
            await asyncio.sleep(0)
            self.edge.store.close()


class Preparation:
    """Everything a new configuration needs, built and not yet used."""

    def __init__(
        self,
        message: Prepare,
        descriptors: list[int],
        present: dict[str, Listener],
        log_path: Path | str | None,
        tallies: ServiceTallies,
    ) -> None:
        """Raises HeadraceError or OSError, and then holds nothing."""
        self.version = message.version
        self.bindings = message.bindings
        self.opened: dict[str, Listener] = {}
        with contextlib.ExitStack() as undo:
            undo.callback(close_all, descriptors)
            self.config = Config.from_json(message.config)
            self.services = compile_services(self.config, tallies)
            self.context = server_context(self.config, message.ticket_keys)
            # A log whose file stays the same goes on: its reader may hang, and each thread that
            # waits for it would stay.
            same = access_log_path(self.config) == log_path
            self.access_log = None if same else open_access_log(self.config)
            undo.callback(self._end_log)
            handed = iter(descriptors)
            pairs = [(b, next(handed) if b.host is None else -1) for b in message.bindings]
            missing = [pair for pair in pairs if pair[0].name not in present]
            kept = [fd for binding, fd in pairs if fd >= 0 and binding.name in present]
            self.opened = open_listeners(
                [binding for binding, _fd in missing],
                [fd for _binding, fd in missing if fd >= 0],
                self.context,
            )
            undo.pop_all()
            close_all(kept)

    def forget(self) -> None:
        for listener in self.opened.values():
            listener.sock.close()
        self._end_log()

    def _end_log(self) -> None:
        if self.access_log is not None:
            self.access_log.end()


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def open_listeners(
    bindings: Sequence[Binding], descriptors: Sequence[int], context: ssl.SSLContext | None
) -> dict[str, Listener]:
    """Listen on TCP addresses, take over Unix sockets. All or none."""
    handed = iter(descriptors)
    opened: dict[str, Listener] = {}
    try:
        for binding in bindings:
            if binding.host is None:
                sock = socket.socket(fileno=next(handed))
                sock.setblocking(False)
            else:
                sock = open_listener(binding)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened[binding.name] = Listener(sock, binding.name, context if binding.tls else None)
    except (HeadraceError, OSError):
        for listener in opened.values():
            listener.sock.close()
        raise
    return opened


def store_settings(config: Config) -> StoreSettings:
    """The store's settings for a worker, which verifies checksums itself, on a thread."""
    options = config.store
    return StoreSettings(size_bytes=options.size_bytes, slice_bytes=options.slice_bytes)


def open_access_log(config: Config) -> AccessLog:
    options = config.access_log
    return AccessLog(access_log_path(config), options.sample, options.client_address)


def access_log_path(config: Config) -> Path | str | None:
    path = config.access_log.path
    return path if path is None or path == "-" else Path(path)


async def serve(descriptor: int) -> int:
    """Run one worker on the inherited control channel; gives its exit code."""
    loop = asyncio.get_running_loop()
    worker = Worker(loop)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
        # A terminal's Ctrl-C reaches every process of the group; the supervisor decides.
        signal.signal(ignored, signal.SIG_IGN)
    worker.channel = await WorkerChannel.connect(
        descriptor, worker.received, worker.supervisor_gone
    )
    # What the start made lives as long as the worker: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    await worker.done.wait()
    await asyncio.sleep(0)
    await worker.close()
    return worker.exit_code


def main() -> int:
    """The worker process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
