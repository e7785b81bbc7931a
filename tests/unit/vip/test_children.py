"""Programs that hang, and what becomes of those who wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.vip import children
from headrace.vip.children import MOST_UNENDED, Ended, run_child

PATIENCE_S = 20
HANGS_S = 3 * PATIENCE_S


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Path]:
    """Where programs of a test write who they are; none of them is left."""
    file = tmp_path / "started"
    yield file
    end_all(file)


def end_all(started: Path) -> None:
    """End what has written that it was started."""
    for one in started.read_text().split() if started.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(one), signal.SIGKILL)


def lives(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def program(directory: Path, script: str) -> str:
    """Return the path of a program that does that."""
    made = directory / "program"
    made.write_text(f"#!/bin/sh\n{script}\n")
    made.chmod(0o755)
    return str(made)


async def bounded(path: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(TimeoutError):
            await run_child(path, within_s=0.1)


def test_a_program_gets_its_input_and_is_told_of(tmp_path: Path) -> None:
    path = program(tmp_path, 'cat; echo "$1" >&2; exit 3')
    found = asyncio.run(run_child(path, "word", within_s=PATIENCE_S, text="in"))
    assert found == Ended(3, b"in", b"word\n")


def test_what_a_hanging_program_has_started_keeps_nobody_waiting(
    tmp_path: Path, started: Path
) -> None:
    """A wrapper's child has its pipes: that one was waited for, long after the wrapper's end."""
    path = program(tmp_path, f"sleep {HANGS_S} & echo $! >> {started}; wait")
    asyncio.run(bounded(path))
    assert not lives(int(started.read_text()))


def test_what_cannot_be_ended_is_left_behind_up_to_a_number(
    tmp_path: Path, started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "DIES_S", 0.01)
    path = program(tmp_path, f"setsid sh -c 'echo $$ >> {started}; exec sleep {HANGS_S}'; :")

    async def go() -> None:
        for _ in range(MOST_UNENDED):
            await bounded(path)
        before = started.read_text()
        await bounded(path)
        assert started.read_text() == before
        end_all(started)
        async with asyncio.timeout(PATIENCE_S):
            while children._unended:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    asyncio.run(go())
