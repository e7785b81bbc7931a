"""How often this machine's lines are looked at."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from headrace.vip.handover import lines
from headrace.vip.handover.lines import BETWEEN_S, BUSY_S, LATELY_S, MOST_LOOKS, Lines, pause_s
from headrace.vip.handover.programs import ProgramError

UP = b'[{"flags": ["LOWER_UP"], "addr_info": [{"local": "10.0.0.2"}]}]'


def test_changes_without_end_do_not_have_a_program_run_without_end() -> None:
    burst = [float(at) / 100 for at in range(MOST_LOOKS)]
    assert pause_s(burst[1:], burst[-1]) == BETWEEN_S
    assert pause_s(burst, burst[-1]) == BUSY_S
    assert pause_s(burst, burst[0] + LATELY_S) == BETWEEN_S


def test_what_is_not_known_is_asked_again_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing changes: else one slow program would leave it unknown for days."""
    asked = list[str]()

    async def run(program: str, *_words: str) -> bytes:
        asked.append(program)
        if len(asked) < 4:
            raise ProgramError("ip did not end")
        return UP

    async def known() -> None:
        changed = asyncio.Event()
        watched = Lines(changed.set)
        watched.start()
        async with asyncio.timeout(20):
            await changed.wait()
        assert watched.up
        await watched.close()

    monkeypatch.setattr(lines, "run", run)
    monkeypatch.setattr(lines, "RETRY_S", 0.01)
    with capture_logs() as logged:
        asyncio.run(known())
    assert [one["event"] for one in logged] == ["lines_unknown"]
