"""Programs that are forked from a process that has imported them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from headrace.node.fork_server import SERVER_NAME, WORKER_NAME
from tests.harness import warm
from tests.harness.edge import config_for, free_port, running_edge
from tests.harness.polling import eventually
from tests.harness.toml import to_toml
from tests.harness.warm import ROOT, Warm


@pytest.fixture
def log(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    yield descriptor
    os.close(descriptor)


def test_exit_codes_and_signals_are_told(tmp_path: Path, log: int) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("nothing = 1\n")
    process = warm.start_headrace(["edge", "--config", str(wrong)], log, log)
    assert process.wait(60) == process.poll() == 2
    assert "headrace: " in (tmp_path / "log").read_text()
    process.kill()  # long gone: nothing, and nobody else


def test_it_is_the_program_and_holds_nothing_of_whoever_forked_it(tmp_path: Path) -> None:
    with running_edge("http://127.0.0.1:9", tmp_path, check=False) as edge:
        with pytest.raises(subprocess.TimeoutExpired):
            edge.process.wait(0.01)
        supervisor = psutil.Process(edge.process.pid)
        assert supervisor.name() == "headrace"
        assert supervisor.cwd() == str(Path.cwd())
        names = sorted(one.name() for one in supervisor.children(recursive=True))
        assert names == [SERVER_NAME, WORKER_NAME, WORKER_NAME]
        # Its end of the socket and the descriptors of other programs would be here.
        targets = [os.readlink(one) for one in Path(f"/proc/{supervisor.pid}/fd").iterdir()]
        assert sum(target.startswith("pipe:") for target in targets) == 0, targets
        edge.process.send_signal(signal.SIGKILL)
        assert edge.process.wait(20) == -signal.SIGKILL


def test_nothing_outlives_the_tests(tmp_path: Path) -> None:
    """Also where they are killed: then nobody else would end what they started."""
    config = tmp_path / "edge.toml"
    port, admin = free_port(), free_port()
    config.write_text(
        to_toml(config_for("http://127.0.0.1:9", tmp_path / "cache", port, admin, {}))
    )
    code = (
        "import sys, time; from tests.harness import warm\n"
        f"one = warm.start_headrace(['edge', '--config', {str(config)!r}], 2, 2)\n"
        "print(one.pid, flush=True); time.sleep(600)"
    )
    tests = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    with tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        eventually(lambda: _answers(admin), "it serves", 60)
        below = psutil.Process(pid).children(recursive=True)
        tests.kill()
    eventually(lambda: not psutil.pid_exists(pid), "the supervisor is gone")
    eventually(lambda: not any(_runs(one) for one in below), "so are its workers")


def test_one_that_has_ended_is_an_error_for_whoever_asks_it(log: int) -> None:
    one = Warm("tests.harness.toy_role")
    process = one.start([], log, log, environment=os.environ, directory=ROOT)
    assert process.wait(60) == 1
    one.close()
    assert not one.lives
    with pytest.raises(OSError):
        one.start([], log, log, environment=os.environ, directory=ROOT)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
