"""A program of a lab: started, ended, and started while it ends. Where it runs is played."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.lab.errors import LabError
from headrace.lab.network import runner as runners
from headrace.lab.network.programs import Program
from headrace.lab.network.runner import Runner

LIVES = "import time; print('here', flush=True); time.sleep(600)"
ENDS_SLOWLY = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), exit(0)))
print('here', flush=True)
while True:
    time.sleep(0.01)
"""


def run(
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    test: Callable[[Runner], Awaitable[None]],
) -> None:
    """Start a program, wait until it has said something, and end it after the test."""
    spawn = asyncio.create_subprocess_exec

    async def here(*words: str, **options: Any) -> asyncio.subprocess.Process:
        # Behind the way into the namespace: the module, its name, and whose child it is.
        return await spawn(*words[5:], **options)

    async def tested() -> None:
        program = Program("oslo1", "edge", (sys.executable, "-c", text), 1)
        runner = Runner(program, "nowhere", tmp_path / "log", lambda: None)
        await runner.start()
        try:
            await until(lambda: times_said(runner) == 1)
            await test(runner)
        finally:
            await runner.end()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", here)
    asyncio.run(tested())


def times_said(runner: Runner) -> int:
    return runner.log.read_text().count("here")


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not there():  # noqa: ASYNC110 - a process says it
            await asyncio.sleep(0.01)


def test_what_was_just_killed_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(runner: Runner) -> None:
        first = runner.pid
        runner.signal(signal.SIGKILL)
        assert runner.ending
        await runner.start()
        await until(lambda: times_said(runner) == 2)
        assert runner.pid not in (0, first)
        assert runner.restarts == 0

    run(LIVES, tmp_path, monkeypatch, test)


def test_what_takes_its_time_to_end_is_started_when_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(runner: Runner) -> None:
        first = runner.pid
        runner.signal(signal.SIGTERM)
        await runner.start()
        assert (runner.pid, runner.ending) == (first, False)
        await until(lambda: times_said(runner) == 2)
        assert runner.pid not in (0, first)

    run(ENDS_SLOWLY, tmp_path, monkeypatch, test)


def test_what_was_killed_stays_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(runner: Runner) -> None:
        runner.signal(signal.SIGKILL)
        await until(lambda: not runner.ending)
        assert runner.pid == 0

    run(LIVES, tmp_path, monkeypatch, test)


def test_one_that_runs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(runner: Runner) -> None:
        first = runner.pid
        await runner.start()
        assert (runner.pid, runner.restarts) == (first, 0)

    run(LIVES, tmp_path, monkeypatch, test)


@pytest.mark.parametrize(
    ("restarts", "said"), [(0, "was not ready within 0 s: where"), (1, "ended before it was ready")]
)
def test_who_waits_hears_why_it_is_not_ready_and_what_it_said(
    restarts: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(runner: Runner) -> None:
        runner.restarts = restarts
        with pytest.raises(LabError, match=f"^oslo1:edge {said}(.|\n)*it said:\nhere"):
            await runner.until_ready()

    monkeypatch.setattr(runners, "READY_WITHIN_S", 0.0)
    run(LIVES, tmp_path, monkeypatch, test)
