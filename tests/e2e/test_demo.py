"""How the demo starts and ends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.demo import Demo
from tests.harness.polling import eventually


def family_of(demo: Demo) -> list[psutil.Process]:
    return psutil.Process(demo.process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [
        process
        for process in processes
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture
def own_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """A demo for one test, whose temporary files are the test's."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    running = Demo(tmp_path / "demo.log", "--port", "0")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process_and_removes_the_cache(
    own_demo: Demo, tmp_path: Path, number: signal.Signals
) -> None:
    family = family_of(own_demo)
    assert len(family) >= 4
    assert own_demo.stop(number) == 0
    assert alive(family) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nothing_runs_on_when_the_demo_is_killed(own_demo: Demo) -> None:
    family = family_of(own_demo)
    own_demo.kill()
    eventually(lambda: not alive(family), "every process has ended", 30)


def test_a_program_that_dies_ends_the_demo_with_a_message(own_demo: Demo) -> None:
    origin = next(p for p in family_of(own_demo) if "headrace.lab.origin" in p.cmdline())
    os.kill(origin.pid, signal.SIGKILL)
    assert own_demo.process.wait(30) != 0
    assert "the origin ended by itself" in own_demo.output
    assert "Traceback" not in own_demo.output


def test_a_taken_port_is_replaced_and_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(tmp_path / "demo.log", "--port", str(port))
        try:
            demo.wait_until_ready()
            assert f"port {port} is taken: the edge listens on" in demo.output
            assert demo.stop() == 0
        finally:
            demo.kill()
