"""How the demo starts and ends, and what its page does."""

from __future__ import annotations

import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.demo import Demo
from tests.harness.polling import eventually


def family_of(demo: Demo) -> list[psutil.Process]:
    return psutil.Process(demo.process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if runs(process)]


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two
        return False


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def own_demo(tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """A demo for one test, whose temporary files are the test's, and whose port is taken."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    running = Demo(tmp_path / "demo.log", "--port", str(taken))
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()


def test_a_signal_ends_every_process_and_removes_the_caches(
    own_demo: Demo, taken: int, tmp_path: Path
) -> None:
    assert f"port {taken} is taken: the page listens on" in own_demo.output
    family = family_of(own_demo)
    # Two origins and a CDN; five servers, a router and two observers with a worker each.
    assert len(family) >= 3 + 8 * 2
    assert own_demo.stop(signal.SIGTERM) == 0
    assert alive(family) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nothing_runs_on_when_the_demo_is_killed(own_demo: Demo) -> None:
    family = family_of(own_demo)
    own_demo.kill()
    eventually(lambda: not alive(family), "every process has ended", 30)


def test_an_address_of_all_is_refused_with_the_remedy(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "demo.log", "--listen", "0.0.0.0")
    assert demo.process.wait(30) == 2
    assert "--listen 0.0.0.0: name one address" in demo.output


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_no_other_page_can_press_a_button(demo: Demo) -> None:
    plain = urllib.request.Request(demo.page("/api/stop/n1"), method="POST")
    assert status_of(plain) == 403


def test_the_page_answers_under_its_own_host_alone(demo: Demo) -> None:
    request = urllib.request.Request(demo.page("/api/state"), headers={"Host": "evil.example"})
    assert status_of(request) == 421


def test_there_is_no_button_for_what_there_is_not(demo: Demo) -> None:
    request = urllib.request.Request(
        demo.page("/api/stop/everything"), method="POST", headers={"X-Headrace-Demo": "1"}
    )
    assert status_of(request) == 404


def test_the_page_leads_nowhere_else_on_the_disk(demo: Demo) -> None:
    assert status_of(urllib.request.Request(demo.page("/../demo.py"))) == 404
