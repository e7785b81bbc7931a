"""What is left of a lab whose keeper was killed, and who cleans it up."""

from __future__ import annotations

import os
import signal

import pytest

from tests.harness.labs import LabUnderTest, fresh_lab
from tests.harness.polling import eventually

pytestmark = pytest.mark.timeout(400)


def test_after_kill_9_programs_end_and_the_next_up_cleans() -> None:
    with fresh_lab() as lab:
        _kill_and_clean(lab)


def _kill_and_clean(lab: LabUnderTest) -> None:
    lab("up", "--topology", "small")
    before = lab.state
    os.kill(before.keeper.pid, signal.SIGKILL)
    processes = [one.process for one in before.programs if one.process is not None]
    eventually(lambda: not any(one.lives for one in processes), "all programs ended", 30.0)
    assert "is no more" in lab("status")
    assert "nothing keeps the lab" in lab("kill", "oslo1", code=2)
    lab("up", "--topology", "small")
    lab.goes_to("192.0.2.129", "oslo1")
    assert lab.state.keeper.pid != before.keeper.pid
    os.kill(lab.state.keeper.pid, signal.SIGKILL)
    lab("down")
    assert lab.left() == []
    assert "there is nothing of a lab" in lab("down", code=2)
