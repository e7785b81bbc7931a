"""Whatever becomes of the process that compiles, the supervisor hears of it and nothing stays."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.node.network import compiling
from headrace.node.network.compiling import Compiled, CompileError, compiled

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "network.toml"


def run(path: Path, monkeypatch: pytest.MonkeyPatch, program: str = "") -> Compiled:
    if program:
        monkeypatch.setattr(compiling, "_COMMAND", (sys.executable, "-c", program))
    return asyncio.run(compiled(path))


def test_a_good_description_comes_sealed_and_without_prefixes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = run(EXAMPLE, monkeypatch)
    assert found.network is not None
    assert found.file is not None
    assert [one.name for one in found.network.topology.servers][:2] == ["oslo1", "oslo2"]
    assert not any(len(one.prefixes) for one in found.network.topology.networks)
    with pytest.raises(PermissionError):
        os.pwrite(found.file.descriptor, b"x", 0)


def test_a_wrong_one_comes_with_its_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(tmp_path / "nowhere.toml", monkeypatch)
    assert "nowhere.toml" in found.outcome.problem
    assert (found.file, found.network) == (None, None)


@pytest.mark.parametrize(
    "program",
    ["import os; os.kill(os.getpid(), 9)", "print('nonsense')", "raise SystemExit(3)"],
    ids=["killed", "talks nonsense", "gives up"],
)
def test_a_process_that_ends_without_an_answer_is_an_error(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CompileError, match="was not compiled"):
        run(EXAMPLE, monkeypatch, program)


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "TIMEOUT_S", 1.0)
    begun: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*command: str, **options: Any) -> asyncio.subprocess.Process:
        begun.append(await start(*command, **options))
        return begun[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    with pytest.raises(CompileError, match="within 1 s"):
        run(EXAMPLE, monkeypatch, "import time; time.sleep(60)")
    assert begun[0].returncode == -signal.SIGKILL


def test_one_whose_supervisor_was_killed_ends_without_a_word(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with (tmp_path / "snapshot").open("wb") as snapshot:
        command = [*compiling._COMMAND, str(EXAMPLE), str(snapshot.fileno())]
        ended = subprocess.run(
            command, stdout=writes, stderr=subprocess.PIPE, pass_fds=[snapshot.fileno()],
            timeout=30, check=False,
        )  # fmt: skip
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (1, b"")
