from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.simulate.test_replay import NETWORK, SCENARIO

# What a shell runs in the background ignores an interrupt, and so would a command begun by it.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from headrace.cli.main import main; main()"
)


def begun(directory: Path) -> subprocess.Popen[bytes]:
    """Return a simulation that would run for hours, once it runs."""
    (directory / "network.toml").write_text(NETWORK)
    scenario = SCENARIO.replace("5m", "20d").replace("viewers = 20", "viewers = 2000")
    (directory / "scenario.toml").write_text(scenario)
    (directory / "r.html").write_text("of before")
    process = subprocess.Popen(
        [
            sys.executable, "-c", COMMAND, "simulate", str(directory / "scenario.toml"),
            "--report", str(directory / "r.html"), "--csv", str(directory / "csv"),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    while process.poll() is None and not (directory / "csv").exists():
        time.sleep(0.05)
    time.sleep(1.0)
    assert process.poll() is None
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_nothing_half_written(tmp_path: Path, number: int) -> None:
    process = begun(tmp_path)
    process.send_signal(number)
    for _ in range(10):
        try:
            out, errors = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.send_signal(number)  # Python drops an exception where it frees an object
        else:
            break
    else:
        process.kill()
        process.communicate()
        pytest.fail(f"ten times signal {number}, and it runs on")
    assert process.returncode != 0
    assert out == b""
    assert b"Traceback" not in errors
    assert (tmp_path / "r.html").read_text() == "of before"
    assert list((tmp_path / "csv").iterdir()) == []


def test_more_memory_than_allowed_ends_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "network.toml").write_text(NETWORK)
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    done = subprocess.run(
        [
            sys.executable, "-c", COMMAND, "simulate", str(tmp_path / "scenario.toml"),
            "--memory", "1MB",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"--memory" in done.stderr
    assert b"Traceback" not in done.stderr
