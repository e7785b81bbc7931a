"""What is kept of a lab, and what is believed of it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from headrace.lab.errors import LabError
from headrace.lab.network.cuts import Cut
from headrace.lab.network.state import (
    LabState,
    ProcessId,
    ProgramState,
    boot_id,
    kill_keeper,
    process_id,
    read_state,
    write_state,
)


def own_id() -> ProcessId:
    found = process_id(os.getpid())
    assert found is not None
    return found


def test_what_is_written_is_read(tmp_path: Path) -> None:
    program = ProgramState("oslo1", "edge", own_id(), paused=True, restarts=2)
    state = LabState("lab", own_id(), boot_id(), True, [program], [Cut("oslo1", silent=True)])
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state


def test_nothing_is_no_state_and_rubbish_is_refused(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    (tmp_path / "state.json").write_text('{"name": 1}')
    with pytest.raises(LabError, match="remove the directory"):
        read_state(tmp_path)


def test_a_number_alone_is_no_process() -> None:
    me = own_id()
    assert me.lives
    assert not ProcessId(me.pid, me.start + 1).lives


def test_another_process_of_the_same_number_gets_no_signal() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        real = process_id(other.pid)
        assert real is not None
        for keeper, boot in (
            (ProcessId(real.pid, real.start + 1), boot_id()),
            (real, "another start of the machine"),
        ):
            assert not kill_keeper(LabState("lab", keeper, boot), signal.SIGKILL)
            assert other.poll() is None
        assert kill_keeper(LabState("lab", real, boot_id()), signal.SIGKILL)
        assert other.wait(10) == -signal.SIGKILL
    assert not kill_keeper(LabState("lab", real, boot_id()), signal.SIGKILL)
