"""The pool of workers over all sorts of sequences: nothing running is cut before its time."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace.node.launching import Launcher
from headrace.node.messages import (
    Abandon,
    Commit,
    Committed,
    GetStats,
    Message,
    Prepare,
    Prepared,
    Stats,
    Stop,
)
from headrace.node.supervisor import HEARTBEAT_S, SILENCE_CHECK_S
from headrace.node.worker_pool import SILENCE_LIMIT_S, WorkerPool
from headrace.node.worker_process import Setup, State, Worker
from headrace.telemetry.metrics import Snapshot
from tests.harness.virtual_time import run_virtually

DRAIN_S = 60.0
DOWNLOAD_S = 50.0
START_S = 0.3
ANSWER_S = 0.01


@dataclass
class Books:
    """What the workers of one run went through."""

    processes: list[Process] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    answered: int = 0


class Process:
    """A process that holds downloads, and ends by its own will or another's."""

    def __init__(self, pid: int, books: Books) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended = asyncio.Event()
        self.downloads: list[float] = []
        self.may_cut_from = float("inf")
        self.stuck = False
        self.mute = False
        self._books = books
        books.processes.append(self)

    def end(self, code: int, why: str) -> None:
        if self.returncode is not None:
            return
        now = asyncio.get_running_loop().time()
        running = [until for until in self.downloads if until > now]
        if running and now < self.may_cut_from and why != "crash":
            self._books.cut.append(f"{len(running)} of process {self.pid} at {now:g}: {why}")
        self.returncode = code
        self.ended.set()

    def kill(self) -> None:
        self.end(-signal.SIGKILL, "killed")

    async def wait(self) -> int:
        await self.ended.wait()
        assert self.returncode is not None
        return self.returncode

    async def drain(self, deadline_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.may_cut_from = min(self.may_cut_from, loop.time() + deadline_s)
        while self.stuck or any(until > loop.time() for until in self.downloads):
            if not self.stuck and loop.time() >= self.may_cut_from:
                break
            await asyncio.sleep(0.5)
        self.end(0, "drained")


class FakeChannel:
    """Answers as a worker does."""

    def __init__(self, worker: FakeWorker) -> None:
        self._worker = worker
        self.closed = False

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        worker = self._worker
        if worker.fake.returncode is None and not isinstance(message, Abandon):
            if isinstance(message, Stop):
                worker.remember(worker.fake.drain(message.deadline_s))
            else:
                worker.remember(worker.answer(message))

    def close(self) -> None:
        self.closed = True


class FakeWorker(Worker):
    """A worker in name, without a process."""

    def __init__(self, number: int, setup: Setup, books: Books) -> None:
        self.fake = Process(len(books.processes) + 1, books)
        self.number = number
        self.process = self.fake
        self.version = setup.version
        self.state = State.STARTING
        self.snapshot = Snapshot()
        self.started = 0.0
        self.started_s = self.heard_s = asyncio.get_running_loop().time()
        self.exit_code = 0
        self.left = asyncio.Event()
        self.problem = None
        self._silent = asyncio.Event()
        self._waiting = {}
        self.channel = FakeChannel(self)  # type: ignore[assignment]
        self._books = books
        self._tasks: set[asyncio.Task[None]] = set()
        self.remember(self._begin())
        self.remember(self._watch())

    def remember(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        await self.fake.ended.wait()
        self.channel.close()
        self._lost()

    async def _begin(self) -> None:
        await asyncio.sleep(START_S)
        if self.fake.returncode is None and self.state is State.STARTING:
            self.state = State.READY

    async def wait_ready(self, timeout_s: float) -> bool:
        await asyncio.sleep(2 * START_S)
        return self.state is State.READY

    async def answer(self, message: Message) -> None:
        await asyncio.sleep(ANSWER_S)
        if self.fake.returncode is not None or self.fake.mute:
            return
        match message:
            case Prepare(version=version):
                self._received(Prepared(version), [])
            case Commit(version=version):
                self._received(Committed(version), [])
            case GetStats(number=number):
                counted = Snapshot(counters={"requests_hit": len(self.fake.downloads)})
                self._received(Stats(number, counted), [])


@dataclass(frozen=True, slots=True)
class Reload:
    workers: int


@dataclass(frozen=True, slots=True)
class Download:
    """A client asks a worker that serves."""

    lasts_s: float


@dataclass(frozen=True, slots=True)
class Crash:
    """One of the workers dies."""


@dataclass(frozen=True, slots=True)
class Pass:
    seconds: float


Step = Reload | Download | Crash | Pass

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Reload, st.integers(1, 4)),
    st.builds(Download, st.floats(0.1, DOWNLOAD_S)),
    st.just(Crash()),
    st.builds(Pass, st.sampled_from((0.0, 0.005, 0.2, 1.0, 5.0, 20.0))),
)


def setup(version: int) -> Setup:
    return Setup(version, "{}", (), (), DRAIN_S)


class Run:
    """One server's life."""

    def __init__(self) -> None:
        self.books = Books()
        self.chance = random.Random(1)
        self.version = 1
        self.wanted = 2

        async def start(number: int, with_setup: Setup, _draining: bool) -> Worker:
            await asyncio.sleep(ANSWER_S)
            return FakeWorker(number, with_setup, self.books)

        self.pool = WorkerPool(Launcher(()), start=start)

    def serving(self) -> list[Process]:
        return [w.fake for w in self.pool.workers if isinstance(w, FakeWorker)
                and w.state is State.READY and w.fake.returncode is None]  # fmt: skip

    async def take(self, step: Step) -> None:
        loop = asyncio.get_running_loop()
        match step:
            case Reload(workers=workers):
                self.version += 1
                self.wanted = workers
                await self.pool.reload(setup(self.version), workers)
            case Download(lasts_s=lasts_s) if self.serving():
                process = self.chance.choice(self.serving())
                process.downloads.append(loop.time() + lasts_s)
                self.books.answered += 1
            case Crash() if self.serving():
                self.chance.choice(self.serving()).end(-signal.SIGSEGV, "crash")
            case Pass(seconds=seconds):
                await asyncio.sleep(seconds)

    async def live(self, steps: Sequence[Step], then: Callable[[], None]) -> None:
        await self.pool.start(setup(1), self.wanted)
        for step in steps:
            await self.take(step)
        for _ in range(30):
            await asyncio.sleep(5)
            await self.pool.questions.refresh()
        then()
        await self.pool.stop(DRAIN_S)
        assert [p.pid for p in self.books.processes if p.returncode is None] == []


@settings(max_examples=100)
@given(st.lists(STEPS, max_size=20))
@example([Download(50), Download(50), Download(50), Reload(1), Pass(1), Reload(1)])
@example([Reload(1), Reload(2), Download(30), Download(30), Reload(1), Reload(4), Reload(3)])
@example([Crash(), Reload(3), Crash(), Reload(1), Download(40), Reload(2), Reload(2)])
def test_no_sequence_of_reloads_cuts_a_download(steps: list[Step]) -> None:
    run = Run()

    def settled() -> None:
        pool = run.pool
        assert run.books.cut == []
        assert [w.number for w in pool.workers] == list(range(run.wanted))
        assert {(w.state, w.version) for w in pool.workers} == {(State.READY, run.version)}
        assert (pool.leaving, pool.wanted) == (0, run.wanted)

    run_virtually(run.live(steps, settled))
    assert run.books.cut == []


def test_the_counts_of_workers_that_leave_are_kept_once() -> None:
    run = Run()
    steps: list[Step] = [
        Download(30),
        Download(5),
        Reload(1),
        Pass(1),
        Reload(2),
        Pass(1),
        Download(40),
    ]

    async def live() -> None:
        await run.pool.start(setup(1), 2)
        for step in steps:
            await run.take(step)
            found = await run.pool.totals()
            assert found.counters["requests_hit"] == run.books.answered
        await run.pool.stop(DRAIN_S)
        assert (await run.pool.totals()).counters["requests_hit"] == run.books.answered

    run_virtually(live())


def test_a_worker_that_does_not_end_in_its_drain_time_is_killed() -> None:
    run = Run()

    async def live() -> None:
        await run.pool.start(setup(1), 2)
        for process in run.serving():
            process.stuck = True
        await run.pool.reload(setup(2), 1)
        assert run.pool.leaving == 1
        await asyncio.sleep(DRAIN_S + 5)
        assert run.pool.leaving == 0
        run.pool.kill()
        await asyncio.sleep(5)

    run_virtually(live())


def test_a_machine_that_starts_no_process_is_asked_again_later() -> None:
    run = Run()
    working = run.pool._start
    tries: list[float] = []

    async def live() -> None:
        await run.pool.start(setup(1), 2)

        async def refused(number: int, with_setup: Setup, draining: bool) -> Worker:
            tries.append(asyncio.get_running_loop().time())
            if len(tries) < 5:
                raise BlockingIOError(11, "Resource temporarily unavailable")
            return await working(number, with_setup, draining)

        run.pool._start = refused
        await run.take(Crash())
        await asyncio.sleep(20)
        assert len(run.serving()) == 2
        await run.pool.stop(DRAIN_S)

    run_virtually(live())
    assert len(tries) == 5


async def heartbeat(pool: WorkerPool) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        await pool.questions.refresh()


@pytest.mark.parametrize("checked_before", [True, False])
def test_workers_are_not_silent_for_as_long_as_the_supervisor_was_away(
    checked_before: bool,
) -> None:
    run = Run()

    async def live() -> None:
        await run.pool.start(setup(1), 2)
        await run.pool.questions.refresh()
        mute, sound = run.serving()
        mute.mute = True
        if checked_before:
            run.pool.kill_silent(asyncio.get_running_loop().time())
        await asyncio.sleep(10 * SILENCE_LIMIT_S)  # nothing is asked, nothing is checked
        back_s = asyncio.get_running_loop().time()
        run.pool.kill_silent(back_s)
        assert [mute.returncode, sound.returncode] == [None, None]
        asking = asyncio.ensure_future(heartbeat(run.pool))
        while mute.returncode is None:
            await asyncio.sleep(SILENCE_CHECK_S)
            run.pool.kill_silent(asyncio.get_running_loop().time())
        assert asyncio.get_running_loop().time() - back_s >= SILENCE_LIMIT_S
        await asyncio.sleep(1)
        assert sound.returncode is None
        asking.cancel()
        await run.pool.stop(DRAIN_S)

    run_virtually(live())


def test_a_worker_that_says_nothing_is_ended_in_half_a_minute() -> None:
    run = Run()

    async def live() -> None:
        await run.pool.start(setup(1), 2)
        await run.pool.questions.refresh()
        mute, sound = run.serving()
        mute.mute = True
        asking = asyncio.ensure_future(heartbeat(run.pool))
        begun_s = asyncio.get_running_loop().time()
        while mute.returncode is None:
            await asyncio.sleep(SILENCE_CHECK_S)
            run.pool.kill_silent(asyncio.get_running_loop().time())
        silent_s = asyncio.get_running_loop().time() - begun_s
        assert SILENCE_LIMIT_S - SILENCE_CHECK_S <= silent_s <= SILENCE_LIMIT_S + SILENCE_CHECK_S
        await asyncio.sleep(1)
        assert sound.returncode is None
        assert len(run.pool.workers) == 2
        asking.cancel()
        await run.pool.stop(DRAIN_S)

    run_virtually(live())


def test_a_worker_is_ended_by_its_process_id_and_nothing_else_is() -> None:
    run = Run()

    async def live() -> None:
        await run.pool.start(setup(1), 2)
        await asyncio.sleep(1)
        hung, sound = run.serving()
        assert run.pool.questions.kill(hung.pid)
        assert [hung.returncode, sound.returncode] == [-signal.SIGKILL, None]
        assert not run.pool.questions.kill(hung.pid)
        assert not run.pool.questions.kill(10**6)
        await run.pool.stop(DRAIN_S)

    run_virtually(live())
