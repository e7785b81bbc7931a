"""A worker process of any role: serves clients on its own loop, steered by the supervisor.

What is served is the WorkerRole's. This is the frame around it: the channel, listeners and TLS,
a new configuration in two steps (prepare, then commit), draining, signals, and the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import resource
import signal
import ssl
from collections.abc import Callable, Mapping
from typing import Generic

import msgspec
import structlog
import uvloop

from headrace.config.descriptors import descriptors_for_clients
from headrace.config.node import NodeConfig
from headrace.errors import HeadraceError
from headrace.http.parser import HeadLimits
from headrace.http.server.acceptor import Listener, Server
from headrace.http.server.context import ClientTimeouts, ConnectionLimits
from headrace.http.server.tls_native import THROUGH_PYTHON, is_native
from headrace.http.server.tls_ring import WINDOWS_ARE_COPIED
from headrace.node.channel import WorkerChannel
from headrace.node.fork_server import LEFT_TO_THE_SUPERVISOR
from headrace.node.listeners import close_descriptors, open_listeners
from headrace.node.loop_faults import log_loop_faults
from headrace.node.messages import (
    Abandon,
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
    NetworkTaken,
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
    TakeNetwork,
    TakeTicketSecrets,
    Undrain,
)
from headrace.node.network.taking import TakenNetwork
from headrace.node.readiness import problem_of
from headrace.node.role import ConfigT, WorkerRole
from headrace.node.tickets.installed import InstalledKeys
from headrace.node.tls import server_contexts
from headrace.telemetry.logs import configure_logging

log = structlog.get_logger()

DRAIN_LOOK_S = 0.05


class NetworkMissingError(HeadraceError):
    """A worker that was to begin without the description that its configuration names."""


def run_worker(role: Callable[[], WorkerRole[ConfigT]], descriptor: int) -> int:
    """Run a worker process on the channel that is its `descriptor`; return its exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(role(), descriptor))


async def _serve(role: WorkerRole[ConfigT], descriptor: int) -> int:
    log_loop_faults(asyncio.get_running_loop())
    worker = WorkerLoop(role, asyncio.get_running_loop())
    for ignored in LEFT_TO_THE_SUPERVISOR:
        signal.signal(ignored, signal.SIG_IGN)
    worker.channel = await WorkerChannel.connect(
        descriptor, worker.received, worker.supervisor_gone
    )
    # What the start made lives as long as the worker: the collector need not visit it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    await worker.done.wait()
    await asyncio.sleep(0)
    worker.channel.close()
    await role.close()
    return worker.exit_code


class WorkerLoop(Generic[ConfigT]):
    """One worker's life: configured once, reconfigured at will, stopped once.

    `server` is None until the worker is configured.
    """

    def __init__(self, role: WorkerRole[ConfigT], loop: asyncio.AbstractEventLoop) -> None:
        self.done = asyncio.Event()
        self.exit_code = 0
        self.channel: WorkerChannel
        self.server: Server | None = None
        self._role = role
        self._loop = loop
        self._number = -1
        self._drain_timeout_s = 0.0
        self._prepared: Preparation[ConfigT] | None = None
        self._network = TakenNetwork()
        self._tickets = InstalledKeys()
        self._listeners: dict[str, Listener] = {}
        self._ending: asyncio.Task[None] | None = None
        self._stopping = False

    def received(self, message: Message, descriptors: list[int]) -> None:
        """Take one message from the supervisor."""
        server = self.server
        match message:
            case Configure():
                self._configure(message, descriptors)
            case Prepare():
                self._prepare(message, descriptors)
            case Stop(deadline_s=deadline_s):
                self._stop(deadline_s)
            case GetStats(number=number):
                self.channel.send(Stats(number, self._role.snapshot()))
            case Abandon():
                self._abandon()
            case TakeNetwork():
                problem = self._network.take(message, descriptors)
                if server is not None:
                    self._network.hand_to(self._role.adopt_network)
                self.channel.send(NetworkTaken(message.number, problem))
            case TakeTicketSecrets(secrets=secrets):
                self._tickets.take(secrets)
            case _ if server is None:
                if not self.done.is_set():
                    log.error("message_before_configuration", message=type(message).__name__)
            case Commit(version=version):
                self._commit(version, server)
            case Drain():
                self._drain(server)
            case Undrain():
                self._role.drain(draining=False)
                server.undrain()
            case Check(number=number):
                self.channel.send(Checked(number, problem_of(server) or self._role.problem()))
            case ReopenLogs():
                self._reopen_logs()
            case RoleQuestion(number=number, question=question):
                answer = self._answer(question, server)
                if answer is not None:
                    encoded = msgspec.Raw(msgspec.json.encode(answer))
                    self.channel.send(RoleAnswer(number, encoded))
            case RoleNotice(notice=notice):
                self._answer(notice, server)
            case _:
                log.error("unexpected_message", message=type(message).__name__)

    def _answer(self, question: msgspec.Raw, server: Server) -> msgspec.Struct | None:
        try:
            return self._role.answer(question, server)
        except msgspec.DecodeError as error:
            log.error("unexpected_question", problem=str(error))
            return None

    def _reopen_logs(self) -> None:
        try:
            self._role.reopen_logs()
        except (HeadraceError, OSError) as error:
            log.error("log_not_reopened", problem=str(error))

    # Configuration.

    def _configure(self, message: Configure, descriptors: list[int]) -> None:
        self._number = message.worker
        try:
            config = self._role.model.from_json(message.config)
            configure_logging(config.log_level, worker=self._number)
            contexts = server_contexts(config, self._tickets)
            server = Server(self._role.open(config, self._loop), self._loop)
            configure_server(server, config, self._role.accepts_per_s)
            if not self._network.hand_to(self._role.adopt_network) and config.network is not None:
                raise NetworkMissingError("the description of the network has not come")
            self._listeners = open_listeners(message.bindings, descriptors, contexts)
        except (HeadraceError, OSError) as error:
            self.channel.send(Fatal(str(error)))
            self.exit_code = 1
            self.done.set()
            return
        self.server = server
        self._drain_timeout_s = config.drain_timeout_s
        prepare_tls(server, contexts)
        for listener in self._listeners.values():
            server.listen(listener)
        if message.draining:
            self._drain(server)
        self.channel.send(Ready(os.getpid(), list(self._listeners)))

    def _prepare(self, message: Prepare, descriptors: list[int]) -> None:
        self._abandon()
        if self._stopping:
            close_descriptors(descriptors)
            self.channel.send(Refused(message.version, "the worker stops"))
            return
        try:
            self._prepared = Preparation(
                message, descriptors, self._listeners, self._role, self._tickets
            )
        except (HeadraceError, OSError) as error:
            self.channel.send(Refused(message.version, str(error)))
            return
        self.channel.send(Prepared(message.version))

    def _abandon(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.abandon()

    def _commit(self, version: int, server: Server) -> None:
        if self._stopping:
            return  # it was told to stop between the two steps
        prepared, self._prepared = self._prepared, None
        if prepared is None or prepared.version != version:
            log.error("commit_without_preparation", version=version)
            return
        config = prepared.config
        configure_logging(config.log_level, worker=self._number)
        prepared.change.commit()
        configure_server(server, config, self._role.accepts_per_s)
        self._drain_timeout_s = config.drain_timeout_s
        prepare_tls(server, prepared.contexts)
        self._listen(prepared, server)
        self.channel.send(Committed(version))

    def _listen(self, prepared: Preparation[ConfigT], server: Server) -> None:
        """Keep the listeners that stay, open the new ones, close the others."""
        kept: dict[str, Listener] = {}
        for binding in prepared.bindings:
            context = prepared.contexts[binding.client_ca] if binding.tls else None
            listener = self._listeners.pop(binding.name, None)
            if listener is None:
                listener = prepared.opened[binding.name]
                server.listen(listener)
            listener.context = context
            listener.peers = binding.peers
            kept[binding.name] = listener
        for listener in self._listeners.values():
            server.stop_listening(listener)
        self._listeners = kept

    # The end.

    def _drain(self, server: Server) -> None:
        self._role.drain(draining=True)
        server.drain()

    def _stop(self, deadline_s: float) -> None:
        """Finish what runs, at most for `deadline_s` seconds, then end."""
        if self._stopping:
            return
        self._stopping = True
        self._abandon()
        if self.server is None:
            self.done.set()
            return
        self._role.drain(draining=True)
        self.server.stop()
        self._listeners = {}
        self._ending = self._loop.create_task(self._end(self.server, deadline_s))

    async def _end(self, server: Server, deadline_s: float) -> None:
        try:
            until = self._loop.time() + deadline_s
            while server.connections and self._loop.time() < until:  # noqa: ASYNC110
                await asyncio.sleep(DRAIN_LOOK_S)
            server.close()
            self.channel.send(Drained(self._role.snapshot()))
        finally:
            self.done.set()

    def supervisor_gone(self) -> None:
        """End in good order: no supervisor restarts or reconfigures this worker any more."""
        self._stop(self._drain_timeout_s if self._role.outlives_supervisor else 0.0)


class Preparation(Generic[ConfigT]):
    """Everything a new configuration needs, built and not yet used."""

    def __init__(
        self,
        message: Prepare,
        descriptors: list[int],
        present: dict[str, Listener],
        role: WorkerRole[ConfigT],
        tickets: InstalledKeys,
    ) -> None:
        """Build it. Raises HeadraceError or OSError, and then holds nothing."""
        self.version = message.version
        self.bindings = message.bindings
        with contextlib.ExitStack() as undo:
            undo.callback(close_descriptors, descriptors)
            self.config = role.model.from_json(message.config)
            self.contexts = server_contexts(self.config, tickets)
            self.change = role.prepare(self.config)
            undo.callback(self.change.abandon)
            handed = iter(descriptors)
            pairs = [(b, next(handed) if b.host is None else -1) for b in message.bindings]
            missing = [pair for pair in pairs if pair[0].name not in present]
            kept = [fd for binding, fd in pairs if fd >= 0 and binding.name in present]
            self.opened = open_listeners(
                [binding for binding, _fd in missing],
                [fd for _binding, fd in missing if fd >= 0],
                self.contexts,
            )
            undo.pop_all()
            close_descriptors(kept)

    def abandon(self) -> None:
        """Release it all; nothing of it was used."""
        for listener in self.opened.values():
            listener.sock.close()
        self.change.abandon()


def prepare_tls(server: Server, contexts: Mapping[str, ssl.SSLContext | None]) -> None:
    """Find out how TLS can be sent, before clients come; the log says where it costs more."""
    if all(context is None for context in contexts.values()):
        return
    if not is_native():
        log.info("tls_through_python", problem=THROUGH_PYTHON)
    if not server.prepare_tls():
        log.info("tls_windows_copied", problem=WINDOWS_ARE_COPIED)


def configure_server(server: Server, config: NodeConfig, accepts_per_s: float = math.inf) -> None:
    """Set the limits on clients, for what happens from now on."""
    limits, timeouts = config.limits, config.timeouts
    server.configure(
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
            accepts_per_s,
        ),
    )
