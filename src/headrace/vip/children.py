"""Runs programs that end soon. Where one hangs, whoever waits for it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

DIES_S = 1.0
"""A killed program is gone at once, unless the kernel holds it."""
MOST_UNENDED = 8
"""So many that were killed and live on take memory and descriptors; then none is started."""

_unended: set[asyncio.Task[int]] = set()


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a program; `code` is negative where a signal ended it."""

    code: int
    output: bytes
    errors: bytes


async def run_child(path: str, *words: str, within_s: float, text: str | None = None) -> Ended:
    """Run a program with `text` as its input to its end. One that does not end in time is killed,
    with what it has started itself: a wrapper's child has its pipes, and who waits for them would
    wait for that one. Raises OSError where it cannot be started, TimeoutError where it does not end
    in time, or too many of those before it have not ended yet.
    """
    if sum(not one.done() for one in _unended) >= MOST_UNENDED:
        raise TimeoutError
    child = await asyncio.create_subprocess_exec(
        *(path, *words),
        stdin=asyncio.subprocess.DEVNULL if text is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(within_s):
            output, errors = await child.communicate(None if text is None else text.encode())
    except (TimeoutError, asyncio.CancelledError):
        await _kill(child)
        raise
    assert child.returncode is not None
    return Ended(child.returncode, output, errors)


async def _kill(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    task = asyncio.get_running_loop().create_task(child.wait())
    _unended.add(task)
    task.add_done_callback(_unended.discard)
    await asyncio.wait([task], timeout=DIES_S)
