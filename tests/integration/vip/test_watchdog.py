"""A worker that says nothing is killed, and only a worker."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.vip.admin.questions import Answer, Beat
from headrace.vip.watchdog import Watchdog, parent_of
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
        watchdog = Watchdog(0.3, FakeNode(FakeWorkers(answer)))
        watchdog.start()
        await asyncio.to_thread(child.wait)
        await watchdog.close()
        return watchdog.bites

    assert asyncio.run(asyncio.wait_for(watch(), 30)) == 1


def test_a_process_that_is_not_the_supervisors_has_another_parent() -> None:
    assert parent_of(1) == 0
    assert parent_of(2**22 + 1) == 0
