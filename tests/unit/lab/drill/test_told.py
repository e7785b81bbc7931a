"""How a drill ends that is told to."""

from __future__ import annotations

import asyncio
import logging
import signal

import pytest

from headrace.lab.drill.told import ENDED, run_until_told


def test_who_is_told_to_end_ends_in_order(caplog: pytest.LogCaptureFixture) -> None:
    did = list[str]()

    async def told() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(told())
        try:
            await task
        finally:
            did.append("cleaned up")
            await asyncio.sleep(0)
            did.append("to the end")

    before = signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.DEBUG, "asyncio"), pytest.raises(SystemExit) as ended:
        run_until_told(main())
    assert ended.value.code == ENDED == 143
    assert did == ["cleaned up", "to the end"]
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_not_told_runs_to_its_end() -> None:
    did = list[str]()

    async def main() -> None:
        did.append("done")

    run_until_told(main())
    assert did == ["done"]
