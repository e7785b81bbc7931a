"""A worker that makes no plan is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.vip.admin.questions import Answer, Beat
from headrace.vip.watchdog import Watchdog
from tests.harness.fake_node import FakeNode, FakeWorkers

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "vip.toml"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("stale", [False, True], ids=["silent", "late"])
def test_who_makes_no_plan_is_killed(child: subprocess.Popen[bytes], stale: bool) -> None:
    said = [Answer(beat=Beat(child.pid, 0.0))]

    def answer(_question: object) -> list[Answer]:
        if said:
            return [said.pop()]
        return [Answer(beat=Beat(child.pid, 60.0))] if stale else []

    async def watch() -> int:
        workers = FakeWorkers(answer, on_kill=lambda pid: os.kill(pid, signal.SIGKILL))
        watchdog = Watchdog(0.3, FakeNode(workers))
        watchdog.start()
        await asyncio.to_thread(child.wait)
        await watchdog.close()
        return watchdog.bites

    assert asyncio.run(asyncio.wait_for(watch(), 30)) == 1
