"""A guard that cannot withdraw says so once, however often it tries."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from headrace.bgp.errors import BgpError
from headrace.vip.speak import guard_process
from headrace.vip.speak.guard_process import GuardTask


class Deaf:
    """A daemon that does not answer, each time with the next of some problems."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        self.tries = 0

    async def withdraw(self) -> None:
        self.tries += 1
        if self.problems:
            raise BgpError(self.problems.pop(0))

    def disconnect(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("problems", "said"),
    [(["refused"] * 5, ["refused"]), (["refused", "silent", "silent"], ["refused", "silent"])],
)
def test_what_stays_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: list[str], said: list[str]
) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    daemon = Deaf(list(problems))
    monkeypatch.setattr(guard_process, "daemon_at", lambda _task: daemon)
    monkeypatch.setattr(guard_process, "AGAIN_S", 0.0)
    monkeypatch.setattr(os, "dup", lambda _descriptor: theirs.detach())
    task = GuardTask("bird", 64510, "", "", 3.0, str(tmp_path / "lock"))
    with capture_logs() as logs:
        asyncio.run(guard_process._guard(task))
    assert [one["problem"] for one in logs if one["event"] == "not_withdrawn"] == said
    assert logs[-1]["event"] == "withdrawn_by_guard"
    assert daemon.tries == len(problems) + 1
