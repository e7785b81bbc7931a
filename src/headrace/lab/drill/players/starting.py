"""Starts a player in its client's namespace."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import IO

from headrace.lab.drill.players.viewers import Viewer


async def start(
    viewer: Viewer, command: list[str], errors: IO[bytes] | int, output: IO[bytes] | int
) -> asyncio.subprocess.Process:
    """Start a command there. It ends with this process."""
    # A drill may go before all others; a browser, which works hard, may not.
    usual = str(-os.getpriority(os.PRIO_PROCESS, 0))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace.lab.namespaces.inside", viewer.namespace),
        *(str(os.getpid()), "nice", "-n", usual, *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
    )
