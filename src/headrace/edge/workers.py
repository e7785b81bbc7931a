"""All the workers: starting, replacing, asking, changing and stopping them.

The pool keeps as many workers alive as it is told to, carries a reload to all of them in two
steps (prepare, then commit) so that none is ever half-changed, and keeps the counts of those that
died. It does not know what a config says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from headrace.edge.channel import (
    Abandon,
    Commit,
    Committed,
    Drain,
    GetStats,
    Message,
    Prepare,
    Prepared,
    Refused,
    ReopenLogs,
    Stats,
    Stop,
    Undrain,
)
from headrace.edge.worker_process import Setup, State, Worker, exit_reason, restart_delay_s
from headrace.errors import HeadraceError
from headrace.measure.metrics import Snapshot, merge, retired

READY_TIMEOUT_S = 60.0
PREPARE_TIMEOUT_S = 30.0
COMMIT_TIMEOUT_S = 10.0
STATS_TIMEOUT_S = 2.0
SILENCE_LIMIT_S = 30.0
STOP_GRACE_S = 2.0
STEADY_AFTER_S = 10.0
LAST_WORDS_S = 1.0

log = structlog.get_logger("headrace.workers")


class WorkerStartError(HeadraceError):
    """A worker could not start serving."""


class ReloadRefusedError(HeadraceError):
    """A worker cannot work by the new config; all of them go on with the old one."""


class WorkerPool:
    """The workers of one server, numbered from 0. All methods belong to the running event loop."""

    def __init__(self, command: Sequence[str], *, silence_limit_s: float = SILENCE_LIMIT_S) -> None:
        self.exits = 0
        self.draining = False
        self._command = tuple(command)
        self._silence_limit_s = silence_limit_s
        self._setup: Setup | None = None
        self._workers: dict[int, Worker] = {}
        self._keepers: dict[int, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._retired = Snapshot()
        self._questions = 0
        self._stopping = False
        self._changing = asyncio.Lock()

    @property
    def workers(self) -> list[Worker]:
        """The workers alive now, in order of their numbers."""
        return [self._workers[number] for number in sorted(self._workers)]

    @property
    def wanted(self) -> int:
        return len(self._keepers)

    @property
    def ready(self) -> bool:
        """Whether any worker serves."""
        return any(worker.state is State.READY for worker in self._workers.values())

    async def start(self, setup: Setup, count: int) -> None:
        """Start `count` workers and wait until all serve.

        Raise WorkerStartError when one cannot: at the first start that is a mistake to show, not
        an accident to repeat.
        """
        self._setup = setup
        first = await asyncio.gather(*(self._spawn(number) for number in range(count)))
        served = await asyncio.gather(*(worker.wait_ready(READY_TIMEOUT_S) for worker in first))
        for worker, ready in zip(first, served, strict=True):
            if not ready:
                problem = await _why_not_ready(worker)
                await self._end_all()
                raise WorkerStartError(f"worker {worker.number} did not start: {problem}")
        for worker in first:
            self._keep(worker.number, worker)

    async def reload(self, setup: Setup, count: int) -> None:
        """Move every worker to `setup` and to `count` workers, or none at all.

        Raise ReloadRefusedError when a worker refuses it; nothing has changed then.
        """
        async with self._changing:
            asked = [worker for worker in self.workers if worker.state is State.READY]
            prepare = Prepare(setup.version, setup.config, list(setup.bindings), setup.ticket_keys)
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
                    raise ReloadRefusedError(_refusal(worker, answer))
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
                    worker.kill()
            await self._resize(count)

    def drain(self) -> None:
        """Let the workers close their connections as they fall idle; they go on serving."""
        self.draining = True
        self._tell(self.workers, Drain())

    def undrain(self) -> None:
        self.draining = False
        self._tell(self.workers, Undrain())

    def reopen_logs(self) -> None:
        self._tell(self.workers, ReopenLogs())

    async def stop(self, deadline_s: float) -> None:
        """End all workers: those with connections get `deadline_s` seconds to finish them."""
        self._stopping = True
        for worker in self.workers:
            worker.state = State.STOPPING
            worker.channel.send(Stop(deadline_s))
        self._cancel_restarts()
        keepers = {*self._keepers.values(), *self._leaving}
        if not keepers:
            self.kill()
            return
        _done, late = await asyncio.wait(keepers, timeout=deadline_s + STOP_GRACE_S)
        if late:
            log.warning("workers_killed_at_deadline", workers=[w.number for w in self.workers])
            self.kill()
            await asyncio.wait(late)

    def kill(self) -> None:
        """End all workers now."""
        self._stopping = True
        for worker in self.workers:
            worker.kill()
        self._cancel_restarts()

    async def totals(self) -> Snapshot:
        """The counts of all workers, dead ones included; waits up to 2 s for their answers."""
        await self.ask_all()
        return merge([self._retired, *(worker.snapshot for worker in self.workers)])

    async def ask_all(self) -> None:
        """Refresh every worker's snapshot; kill one that has been silent for too long."""
        self._questions += 1
        question = GetStats(self._questions)
        asked = self.workers
        await asyncio.gather(
            *(
                worker.ask(question, Stats, question.number, STATS_TIMEOUT_S)
                for worker in asked
                if worker.state is State.READY
            )
        )
        now_s = time.monotonic()
        limits_s = {State.READY: self._silence_limit_s, State.STARTING: READY_TIMEOUT_S}
        for worker in asked:
            silent_s = now_s - worker.heard_s
            limit_s = limits_s.get(worker.state)
            if limit_s is not None and silent_s > limit_s and worker.process.returncode is None:
                log.error(
                    "worker_silent", worker=worker.number, pid=worker.pid, silent_s=round(silent_s)
                )
                worker.kill()

    async def _spawn(self, number: int) -> Worker:
        assert self._setup is not None
        worker = await Worker.start(number, self._command, self._setup, draining=self.draining)
        self._workers[number] = worker
        if self._stopping:
            worker.kill()
        return worker

    def _keep(self, number: int, worker: Worker | None) -> None:
        self._keepers[number] = asyncio.create_task(
            self._keep_alive(number, worker), name=f"worker-{number}"
        )

    async def _keep_alive(self, number: int, worker: Worker | None) -> None:
        quick_deaths = 0
        while True:
            if worker is None:
                worker = await self._spawn(number)
            code = await worker.process.wait()
            await worker.heard_out(LAST_WORDS_S)
            self._bury(worker)
            if self._stopping or worker.state is State.STOPPING:
                return
            self.exits += 1
            lived_s = time.monotonic() - worker.started_s
            quick_deaths = 0 if lived_s >= STEADY_AFTER_S else quick_deaths + 1
            delay_s = restart_delay_s(quick_deaths)
            log.error(
                "worker_died",
                worker=number,
                pid=worker.pid,
                reason=worker.problem or exit_reason(code),
                lived_s=round(lived_s, 3),
                restart_in_s=delay_s,
            )
            worker = None
            await asyncio.sleep(delay_s)

    def _bury(self, worker: Worker) -> None:
        worker.channel.close()
        if self._workers.get(worker.number) is worker:
            del self._workers[worker.number]
        self._retired = merge([self._retired, retired(worker.snapshot)])

    async def _resize(self, count: int) -> None:
        for number in range(len(self._keepers), count):
            self._keep(number, None)
        for number in range(count, len(self._keepers)):
            keeper = self._keepers.pop(number)
            worker = self._workers.get(number)
            if worker is None:
                keeper.cancel()
            else:
                worker.state = State.STOPPING
                worker.channel.send(Stop(PREPARE_TIMEOUT_S))
                self._leaving.add(keeper)
                keeper.add_done_callback(self._leaving.discard)

    def _cancel_restarts(self) -> None:
        for number, keeper in self._keepers.items():
            if number not in self._workers:
                keeper.cancel()

    @staticmethod
    def _tell(workers: Sequence[Worker], message: Message) -> None:
        for worker in workers:
            worker.channel.send(message)

    async def _end_all(self) -> None:
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            await worker.process.wait()
            self._bury(worker)


async def _why_not_ready(worker: Worker) -> str:
    if worker.channel.closed:
        code = await worker.process.wait()
        return worker.problem or f"it ended with {exit_reason(code)}; its own log says more"
    return worker.problem or f"it was not ready within {READY_TIMEOUT_S:.0f} seconds"


def _refusal(worker: Worker, answer: Message | None) -> str:
    if isinstance(answer, Refused):
        return f"worker {worker.number} refused the config: {answer.problem}"
    return f"worker {worker.number} did not answer; nothing has changed, try again"
