"""All the workers: starting, replacing, changing and stopping them.

The pool keeps as many workers alive as it is told to, carries a reload to all of them in two
steps (prepare, then commit) so that none is ever half-changed, and keeps the counts of those that
died. It does not know what a configuration says. What is asked of workers is in `questions`.

A worker has one place, by its number, until it is retired; then it leaves: it takes no part in
reloads, has its drain time to finish what it sends, and its successor may have its number already.
Whatever a reload finds, it retires; only silence, a second order to stop or the end of the drain
time kills. So no sequence of reloads cuts a running response before its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog

from headrace.errors import HeadraceError
from headrace.node.launching import Launch
from headrace.node.messages import (
    Abandon,
    Commit,
    Committed,
    Drain,
    Message,
    Prepare,
    Prepared,
    ReopenLogs,
    Stop,
    Undrain,
)
from headrace.node.questions import Questions
from headrace.node.worker_problems import refusal, why_not_ready
from headrace.node.worker_process import (
    Setup,
    State,
    Worker,
    exit_reason,
    quick_deaths_after,
    restart_delay_s,
)
from headrace.telemetry.logs import events_dropped
from headrace.telemetry.metrics import Snapshot, merge, retired

READY_TIMEOUT_S = 60.0
PREPARE_TIMEOUT_S = 30.0
COMMIT_TIMEOUT_S = 10.0
SILENCE_LIMIT_S = 30.0
AWAY_S = 10.0
"""When so long passes between two checks for silence, the supervisor itself did not run."""
STOP_GRACE_S = 2.0
LAST_WORDS_S = 1.0

log = structlog.get_logger("headrace.workers")

Starter = Callable[[int, Setup, bool], Awaitable[Worker]]
"""Starts a worker by its number, its setup and whether it begins draining. Raises OSError."""


class WorkerStartError(HeadraceError):
    """A worker could not start serving."""


class ReloadRefusedError(HeadraceError):
    """A worker cannot work by the new configuration; all of them continue with the old one."""


class WorkerPool:
    """The workers of one server, numbered from 0. All methods belong to the running event loop."""

    def __init__(
        self,
        launch: Launch,
        *,
        silence_limit_s: float = SILENCE_LIMIT_S,
        start: Starter | None = None,
        welcome: Callable[[Worker], None] | None = None,
    ) -> None:
        """Keep workers started by `launch`; `welcome` says to each new one what comes before its
        configuration.
        """
        self.exits = 0
        self.draining = False
        self._launch = launch
        self._silence_limit_s = silence_limit_s
        self._start = start or self._start_process
        self._welcome = welcome
        self._setup: Setup | None = None
        self._workers: dict[int, Worker] = {}
        self._leaving: set[Worker] = set()
        self._places: dict[int, asyncio.Event] = {}  # set: this place is given up
        self._tasks: set[asyncio.Task[None]] = set()
        self._checked_s = math.inf
        self._back_s = -math.inf  # since then the supervisor has been running
        self._retired = Snapshot()
        self.questions = Questions(self)
        self._stopping = False
        self._changing = asyncio.Lock()

    @property
    def workers(self) -> list[Worker]:
        """The workers that have a place now, in order of their numbers."""
        return [self._workers[number] for number in sorted(self._workers)]

    @property
    def everyone(self) -> list[Worker]:
        """The workers alive now, those that leave included."""
        return [*self.workers, *self._leaving]

    @property
    def leaving(self) -> int:
        """How many workers finish what they send and then end."""
        return len(self._leaving)

    @property
    def wanted(self) -> int:
        """How many workers there should be."""
        return len(self._places)

    @property
    def ready(self) -> bool:
        """Whether any worker serves."""
        return any(worker.state is State.READY for worker in self._workers.values())

    async def start(self, setup: Setup, count: int) -> None:
        """Start `count` workers and wait until all serve.

        Raises WorkerStartError when one cannot: at the first start that is a mistake to show, not
        an accident to repeat.
        """
        self._setup = setup
        try:
            first = [await self._spawn(number) for number in range(count)]
        except OSError as error:
            await self._end_all()
            raise WorkerStartError(f"no worker process can be started: {error}") from error
        served = await asyncio.gather(*(worker.wait_ready(READY_TIMEOUT_S) for worker in first))
        for worker, ready in zip(first, served, strict=True):
            if not ready:
                problem = await why_not_ready(worker, READY_TIMEOUT_S)
                await self._end_all()
                raise WorkerStartError(f"worker {worker.number} did not start: {problem}")
        for worker in first:
            self._keep(worker.number, worker)
        self._checked_s = asyncio.get_running_loop().time()

    async def reload(self, setup: Setup, count: int) -> None:
        """Move every worker to `setup` and to `count` workers, or none at all.

        Raises ReloadRefusedError when a worker refuses it; nothing has changed then.
        """
        async with self._changing:
            asked = [worker for worker in self.workers if worker.state is State.READY]
            prepare = Prepare(setup.version, setup.config, list(setup.bindings))
            answers = await asyncio.gather(
                *(
                    worker.ask(
                        prepare, Prepared, setup.version, PREPARE_TIMEOUT_S, setup.descriptors
                    )
                    for worker in asked
                )
            )
            for worker, answer in zip(asked, answers, strict=True):
                if answer is None and worker.channel.closed:
                    continue  # it died of something else; its successor begins with the new config
                if not isinstance(answer, Prepared):
                    self._tell(asked, Abandon(setup.version))
                    raise ReloadRefusedError(refusal(worker, answer))
            self._setup = setup
            await asyncio.gather(
                *(
                    worker.ask(Commit(setup.version), Committed, setup.version, COMMIT_TIMEOUT_S)
                    for worker in asked
                )
            )
            for worker in self.workers:
                if worker.version != setup.version:
                    # It was starting with the old config, or hangs: a fresh one takes the new.
                    log.warning("worker_replaced_at_reload", worker=worker.number, pid=worker.pid)
                    self._retire(worker, setup.drain_timeout_s)
            self._resize(count)

    def drain(self) -> None:
        """Let the workers close their connections as they fall idle; they keep serving."""
        self.draining = True
        self._tell(self.workers, Drain())

    def undrain(self) -> None:
        """Have the workers serve as before again."""
        self.draining = False
        self._tell(self.workers, Undrain())

    def reopen_logs(self) -> None:
        """Have the workers open their logs again."""
        self._tell(self.everyone, ReopenLogs())

    async def stop(self, deadline_s: float) -> None:
        """End all workers: those with connections get `deadline_s` seconds to finish them."""
        self._stopping = True
        for worker in self.workers:
            self._retire(worker, deadline_s)
        self._give_up_places()
        if not self._tasks:
            return
        _done, late = await asyncio.wait(self._tasks, timeout=deadline_s + STOP_GRACE_S)
        if late:
            log.warning("workers_killed_at_deadline", workers=[w.number for w in self.everyone])
            self.kill()
            await asyncio.wait(late)

    def kill(self) -> None:
        """End all workers now."""
        self._stopping = True
        for worker in self.everyone:
            worker.kill()
        self._give_up_places()

    async def totals(self) -> Snapshot:
        """Return the counts of all workers, dead ones included; waits up to 2 s for their
        answers.
        """
        await self.questions.refresh()
        own = Snapshot(counters={"events_dropped": events_dropped()})
        return merge([own, self._retired, *(worker.snapshot for worker in self.everyone)])

    def kill_silent(self, now_s: float) -> None:
        """End every worker that has said nothing for too long; `now_s` is the loop's time.

        Workers speak when they are asked: while the supervisor was stopped, silence means nothing.
        """
        away_s = now_s - self._checked_s
        self._checked_s = now_s
        if away_s > AWAY_S:
            log.warning("supervisor_was_away", away_s=round(away_s))
            self._back_s = now_s
        for worker in self.everyone:
            starting = worker.state is State.STARTING
            limit_s = READY_TIMEOUT_S if starting else self._silence_limit_s
            silent_s = now_s - max(worker.heard_s, self._back_s)
            if silent_s > limit_s and worker.process.returncode is None:
                log.error(
                    "worker_silent", worker=worker.number, pid=worker.pid, silent_s=round(silent_s)
                )
                worker.kill()

    async def _start_process(self, number: int, setup: Setup, draining: bool) -> Worker:
        return await Worker.start(
            number, self._launch, setup, draining=draining, welcome=self._welcome
        )

    async def _spawn(self, number: int, given_up: asyncio.Event | None = None) -> Worker:
        """Start a worker for a place; if that was given up meanwhile, it leaves at once, and does
        not displace the worker of the place that has its number now.
        """
        assert self._setup is not None
        begins_draining = self.draining
        worker = await self._start(number, self._setup, begins_draining)
        surplus = given_up is not None and given_up.is_set()
        if not surplus:
            self._workers[number] = worker
        self._in_background(self._mind(worker), f"worker-{worker.pid}")
        if self._stopping:
            worker.kill()
        elif surplus or worker.version != self._setup.version:
            self._retire(worker, self._setup.drain_timeout_s)  # a reload came meanwhile
        elif self.draining is not begins_draining:
            worker.channel.send(Drain() if self.draining else Undrain())
        return worker

    async def _mind(self, worker: Worker) -> None:
        """Wait for a process's end, and take it out of the books."""
        worker.exit_code = await worker.process.wait()
        await worker.heard_out(LAST_WORDS_S)
        worker.channel.close()
        if self._workers.get(worker.number) is worker:
            del self._workers[worker.number]
        self._leaving.discard(worker)
        self._retired = merge([self._retired, retired(worker.snapshot)])
        worker.left.set()

    def _retire(self, worker: Worker, drain_s: float) -> None:
        """Give a worker's place free and let it finish what it sends, for `drain_s` at most."""
        worker.state = State.STOPPING
        worker.channel.send(Stop(drain_s))
        if self._workers.get(worker.number) is worker:
            del self._workers[worker.number]
        self._leaving.add(worker)
        asyncio.get_running_loop().call_later(drain_s + STOP_GRACE_S, worker.kill)
        worker.left.set()

    def _keep(self, number: int, worker: Worker | None) -> None:
        given_up = self._places[number] = asyncio.Event()
        self._in_background(self._keep_alive(number, given_up, worker), f"place-{number}")

    async def _keep_alive(
        self, number: int, given_up: asyncio.Event, worker: Worker | None
    ) -> None:
        quick_deaths = 0
        while not given_up.is_set():
            if worker is None:
                try:
                    worker = await self._spawn(number, given_up)
                except OSError as error:
                    quick_deaths += 1
                    delay_s = restart_delay_s(quick_deaths)
                    log.error(
                        "worker_not_started",
                        worker=number,
                        problem=str(error),
                        restart_in_s=delay_s,
                    )
                    await _happens(given_up, delay_s)
                    continue
            await worker.left.wait()
            if worker.state is not State.STOPPING and not self._stopping:
                self.exits += 1
                lived_s = asyncio.get_running_loop().time() - worker.started_s
                quick_deaths = quick_deaths_after(quick_deaths, lived_s)
                delay_s = restart_delay_s(quick_deaths)
                log.error(
                    "worker_died",
                    worker=number,
                    pid=worker.pid,
                    reason=worker.problem or exit_reason(worker.exit_code),
                    lived_s=round(lived_s, 3),
                    restart_in_s=delay_s,
                )
                await _happens(given_up, delay_s)
            worker = None

    def _resize(self, count: int) -> None:
        for number in range(len(self._places), count):
            self._keep(number, None)
        assert self._setup is not None
        for number in range(count, len(self._places)):
            self._places.pop(number).set()
            worker = self._workers.get(number)
            if worker is not None:
                self._retire(worker, self._setup.drain_timeout_s)

    def _give_up_places(self) -> None:
        for given_up in self._places.values():
            given_up.set()

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _tell(workers: Sequence[Worker], message: Message) -> None:
        for worker in workers:
            worker.channel.send(message)

    async def _end_all(self) -> None:
        for worker in self.everyone:
            worker.kill()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _happens(event: asyncio.Event, within_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
