"""One worker process as the supervisor sees it: its state, and questions with their answers.

Says nothing about how many workers there are or when one is replaced (see worker_pool).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

import structlog

from headrace.node.channel import Channel
from headrace.node.forks import UNKNOWN_EXIT
from headrace.node.launching import Launch, Process
from headrace.node.messages import (
    Binding,
    Checked,
    Committed,
    Configure,
    Drained,
    Fatal,
    Message,
    NetworkTaken,
    Prepared,
    Ready,
    Refused,
    RoleAnswer,
    Stats,
)
from headrace.telemetry.metrics import Snapshot

FIRST_RESTART_DELAY_S = 0.1
LONGEST_RESTART_DELAY_S = 30.0
STEADY_AFTER_S = 10.0

log = structlog.get_logger("headrace.workers")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to serve. `descriptors` are the Unix sockets, in `bindings`' order.

    `drain_timeout_s` is how long one that is retired may continue with what it sends.
    """

    version: int
    config: str
    bindings: tuple[Binding, ...]
    descriptors: tuple[int, ...]
    drain_timeout_s: float


class State(Enum):
    """Where a worker is in its life."""

    STARTING = auto()
    READY = auto()
    STOPPING = auto()


def restart_delay_s(quick_deaths: int) -> float:
    """Return how long to wait before the next start after so many deaths soon after a start."""
    if quick_deaths == 0:
        return 0.0
    return min(LONGEST_RESTART_DELAY_S, FIRST_RESTART_DELAY_S * 2.0 ** min(quick_deaths - 1, 16))


def quick_deaths_after(quick_deaths: int, lived_s: float) -> int:
    """Return how many deaths soon after a start are in a row, now that one lived so long."""
    return 0 if lived_s >= STEADY_AFTER_S else quick_deaths + 1


def exit_reason(code: int) -> str:
    """Return a process's exit code in words: `exit code 3` or `signal SIGKILL`."""
    if code == UNKNOWN_EXIT:
        return "nobody knows how: the fork server had ended before it"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


class Worker:
    """A running worker and the supervisor's end of its channel.

    `started` is Unix seconds; `heard_s` is the monotonic time of its last word; `snapshot` its
    last known counts; `problem` what it said before it gave up; `left` is set when it has given
    up its place, by its end (then `exit_code` says how) or because it was retired;
    `network_taken` is who hears that it works by another description or view.
    """

    def __init__(self, number: int, process: Process, sock: socket.socket, version: int) -> None:
        self.number = number
        self.process = process
        self.version = version
        self.state = State.STARTING
        self.snapshot = Snapshot()
        self.started = time.time()
        self.started_s = self.heard_s = asyncio.get_running_loop().time()
        self.exit_code = 0
        self.left = asyncio.Event()
        self.problem: str | None = None
        self.network_taken: Callable[[NetworkTaken], None] | None = None
        self._silent = asyncio.Event()
        self._waiting: dict[tuple[type[Message], int], asyncio.Future[Message | None]] = {}
        self.channel = Channel(sock, self._received, self._lost)

    @classmethod
    async def start(
        cls,
        number: int,
        launch: Launch,
        setup: Setup,
        *,
        draining: bool,
        welcome: Callable[[Self], None] | None = None,
    ) -> Self:
        """Start the process and tell it what to serve, after what `welcome` says to it; it has not
        answered yet. Raises OSError.
        """
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            with theirs:
                process = await launch(theirs.fileno())
            undo.pop_all()
        worker = cls(number, process, ours, setup.version)
        if welcome is not None:
            welcome(worker)
        worker.channel.send(
            Configure(
                worker=number,
                version=setup.version,
                config=setup.config,
                bindings=list(setup.bindings),
                draining=draining,
            ),
            setup.descriptors,
        )
        return worker

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    async def ask(
        self,
        message: Message,
        answer: type[Message],
        number: int,
        timeout_s: float,
        descriptors: Sequence[int] = (),
    ) -> Message | None:
        """Send, and wait for that answer; None when it does not come in time or the worker dies."""
        self.channel.send(message, descriptors)
        return await self._expect(answer, number, timeout_s)

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it serves; False when it dies or takes too long."""
        if self.state is State.STARTING:
            await self._expect(Ready, 0, timeout_s)
        return self.state is State.READY

    def kill(self) -> None:
        """End the process at once."""
        if self.process.returncode is None:
            self.process.kill()

    async def heard_out(self, timeout_s: float) -> None:
        """After the process ended: wait until its last messages have been read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._silent.wait()

    async def _expect(self, answer: type[Message], number: int, timeout_s: float) -> Message | None:
        if self.channel.closed:
            return None
        future = self._waiting.setdefault(
            (answer, number), asyncio.get_running_loop().create_future()
        )
        await asyncio.wait([future], timeout=timeout_s)
        return future.result() if future.done() else None

    def _received(self, message: Message, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)
        self.heard_s = asyncio.get_running_loop().time()
        match message:
            case Ready():
                if self.state is State.STARTING:
                    self.state = State.READY
                self._answered(Ready, 0, message)
            case Stats(number=number, snapshot=snapshot):
                self.snapshot = snapshot
                self._answered(Stats, number, message)
            case Checked(number=number) | RoleAnswer(number=number):
                self._answered(type(message), number, message)
            case Prepared(version=version) | Refused(version=version):
                self._answered(Prepared, version, message)
            case Committed(version=version):
                self.version = version
                self._answered(Committed, version, message)
            case NetworkTaken():
                if self.network_taken is not None:
                    self.network_taken(message)
            case Fatal(problem=problem):
                self.problem = problem
                self._answered(Ready, 0, message)
            case Drained(snapshot=snapshot):
                self.snapshot = snapshot
            case _:
                log.warning("worker_message_unexpected", worker=self.number, message=repr(message))

    def _answered(self, kind: type[Message], number: int, message: Message) -> None:
        future = self._waiting.pop((kind, number), None)
        if future is not None and not future.done():
            future.set_result(message)

    def _lost(self) -> None:
        self._silent.set()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_result(None)
