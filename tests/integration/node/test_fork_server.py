"""The fork server: workers come from it, their ends are told, and its own end stops nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import functools
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import ParamSpec

import psutil
import pytest

from headrace.node.fork_server import SERVER_NAME, WORKER_NAME, ForkServer
from headrace.node.forks import UNKNOWN_EXIT, Forks, ForkServerGoneError
from headrace.node.launching import Launcher
from tests.harness.forked import Forked, begun
from tests.harness.polling import eventually
from tests.harness.toy_node import Toy

P = ParamSpec("P")
PR_SET_CHILD_SUBREAPER = 36


def on_a_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*args, **named))

    return run


class Served:
    """A fork server, and what it has forked."""

    def __init__(self, server: ForkServer, channels: contextlib.ExitStack) -> None:
        self.pid = server.pid
        self.forks = Forks(server)
        self._channels = channels

    async def fork(self) -> Forked:
        """Return a new worker."""
        ours, theirs = socket.socketpair()
        self._channels.callback(ours.close)
        ours.setblocking(False)
        with theirs:
            return Forked(await self.forks.fork(theirs.fileno()), ours)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    """A fork server; at the end its workers are gone, too."""
    with contextlib.ExitStack() as channels:
        served = Served(begun(), channels)
        try:
            yield served
        finally:
            served.forks.close()
            for process in list(served.forks.living):
                process.kill()
                await process.wait()


@on_a_loop
async def test_a_worker_answers_on_its_channel_and_its_exit_code_is_told() -> None:
    async with serving() as server:
        workers = [await server.fork() for _ in range(3)]
        for worker in workers:
            assert await worker.ask("pid") == str(worker.process.pid)
        for code, worker in enumerate(workers):
            await worker.say(f"exit {code}")
            assert await worker.process.wait() == code
            assert worker.process.returncode == code


@on_a_loop
async def test_a_signal_is_told_as_such_and_kill_is_for_that_process() -> None:
    async with serving() as server:
        one, other = await server.fork(), await server.fork()
        one.process.kill()
        assert await one.process.wait() == -signal.SIGKILL
        one.process.kill()  # long gone: nothing, and nobody else
        assert await other.ask("pid") == str(other.process.pid)


@on_a_loop
async def test_a_worker_has_no_descriptor_of_another_nor_of_the_server() -> None:
    async with serving() as server:
        first, second, third = [await server.fork() for _ in range(3)]
        held = await first.ask("descriptors")
        assert await second.ask("descriptors") == await third.ask("descriptors") == held


@on_a_loop
async def test_a_worker_leads_a_session_and_ignores_what_a_terminal_sends() -> None:
    async with serving() as server:
        worker = await server.fork()
        pid = worker.process.pid
        assert await worker.ask("pid") == str(pid)
        assert os.getsid(pid) == pid
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        assert await worker.ask("pid") == str(pid)
        assert psutil.Process(pid).name() == WORKER_NAME


@on_a_loop
async def test_a_worker_has_the_limits_that_the_supervisor_has_by_then() -> None:
    async with serving() as server:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 7, before[1]))
        try:
            worker = await server.fork()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert await worker.ask("limit") == str(before[0] - 7)


@on_a_loop
async def test_two_workers_draw_different_random_numbers() -> None:
    async with serving() as server:
        drawn = [await (await server.fork()).ask("random") for _ in range(4)]
        assert len(set(drawn)) == 4


@on_a_loop
async def test_an_exception_in_a_worker_ends_it_with_1(capfd: pytest.CaptureFixture[str]) -> None:
    async with serving() as server:
        worker = await server.fork()
        await worker.say("raise")
        assert await worker.process.wait() == 1
        assert "a worker's own mistake" in capfd.readouterr().err


@on_a_loop
async def test_workers_outlive_a_fork_server_that_is_killed() -> None:
    async with serving() as server:
        worker = await server.fork()
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ForkServerGoneError):
            await server.fork()
        assert await worker.ask("pid") == str(worker.process.pid)
        worker.process.kill()
        assert await worker.process.wait() == UNKNOWN_EXIT
        with pytest.raises(ForkServerGoneError):
            await server.fork()


@on_a_loop
async def test_in_a_container_orphans_are_reaped_and_their_ends_known() -> None:
    with adopting_orphans():
        async with serving() as server:
            one, other = [await server.fork() for _ in range(2)]
            kill_for_good(server.pid)
            await one.say("exit 5")
            assert await one.process.wait() == 5
            other.process.kill()
            assert await other.process.wait() == -signal.SIGKILL
            for worker in (one, other):
                with pytest.raises(ProcessLookupError):
                    os.kill(worker.process.pid, 0)


def kill_for_good(child: int) -> None:
    """Kill a child of this process, and return when it has ended. Its parent has yet to know."""
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """Orphans below this process become its children, as they do below a container's first."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@on_a_loop
async def test_a_fork_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.node.forks.ANSWER_TIMEOUT_S", 0.2)
    async with serving() as server:
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(ForkServerGoneError, match="does not answer"):
            await server.fork()
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)


@on_a_loop
async def test_a_worker_that_waits_for_a_fork_server_that_hangs_starts_by_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headrace.node.forks.ANSWER_TIMEOUT_S", 0.2)
    server = begun()
    launcher = Launcher((sys.executable, "-c", "import sys; sys.exit(7)"), server)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.kill(server.pid, signal.SIGSTOP)
        # All that wait meanwhile have waited once.
        started = await asyncio.gather(*(launcher(theirs.fileno()) for _worker in range(3)))
        assert [await one.wait() for one in started] == [7, 7, 7]
    launcher.close()


@on_a_loop
async def test_a_machine_that_stood_still_has_a_fork_server_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All were stopped, and the supervisor runs again a moment before the fork server does."""
    monkeypatch.setattr("headrace.node.forks.ANSWER_TIMEOUT_S", 4.0)
    async with serving() as server:
        os.kill(server.pid, signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        asked = asyncio.ensure_future(server.fork())
        await asyncio.sleep(0.1)
        time.sleep(2.5)  # this process stands still as well
        loop.call_later(0.1, os.kill, server.pid, signal.SIGCONT)
        worker = await asked
        assert await worker.ask("pid") == str(worker.process.pid)


@on_a_loop
async def test_no_process_now_is_said_as_such_and_the_next_try_works() -> None:
    async with serving() as server:
        await server.fork()
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            await server.fork()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        worker = await server.fork()
        assert await worker.ask("pid") == str(worker.process.pid)


@on_a_loop
async def test_who_stops_waiting_leaves_no_worker_behind() -> None:
    async with serving() as server:
        asked = asyncio.ensure_future(server.fork())
        await asyncio.sleep(0)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        await server.fork()  # by now the first one has been answered, too
        while len(psutil.Process(server.pid).children()) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@on_a_loop
async def test_without_a_fork_server_the_command_starts_the_worker() -> None:
    server = begun()
    launcher = Launcher((sys.executable, "-c", "import sys; sys.exit(7)"), server)
    with socket.socket() as channel:
        os.kill(server.pid, signal.SIGKILL)
        while (process := await launcher(channel.fileno())).returncode is None:
            if await process.wait() == 7:
                break
    launcher.close()


def test_the_server_ends_with_its_supervisor(tmp_path: Path) -> None:
    with Toy(tmp_path) as toy:
        toy.write_toy('greeting = "hello"')
        toy.start()
        below = psutil.Process(toy.pid).children(recursive=True)
        assert sorted(one.name() for one in below) == [SERVER_NAME, WORKER_NAME, WORKER_NAME]
        toy.signal(signal.SIGKILL)
        toy.ended()
        eventually(lambda: not any(one.is_running() for one in below), "all have ended", 20)


def test_a_node_replaces_workers_after_its_fork_server_was_killed(tmp_path: Path) -> None:
    with Toy(tmp_path) as toy:
        toy.write_toy('greeting = "hello"')
        toy.start()
        first = toy.worker_pids()
        (server,) = psutil.Process(toy.pid).children()
        server.kill()
        os.kill(first[0], signal.SIGKILL)
        assert "nobody knows how" in toy.event("worker_died")["reason"]
        assert toy.event("fork_server_gone")
        eventually(lambda: len(toy.worker_pids()) == 2, "there are two again", 30)
        assert toy.get()[0] == 200
        toy.signal(signal.SIGTERM)
        assert toy.ended() == 0


def test_a_file_that_is_wrong_leaves_no_process(tmp_path: Path) -> None:
    wrong = tmp_path / "edge.toml"
    wrong.write_text("nonsense")
    command = Path(sys.executable).with_name("headrace")
    ended = subprocess.run(
        [command, "edge", "--config", wrong], capture_output=True, timeout=60, check=False
    )  # it returns when nobody has its output any more
    assert ended.returncode == 2
