"""Programs of the lab as processes: started, awaited, killed, ended. Each ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from headrace.lab.errors import LabError

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
_POLL_S = 0.05
_LOG_TAIL_CHARACTERS = 2000


@dataclass(slots=True)
class Program:
    """A program by name: its command, the URL that answers 200 when it is ready, its log.

    `process` is the last that was started. `stopped` says that it is down because somebody wanted
    it so.
    """

    name: str
    command: Sequence[str]
    ready_url: str
    log: Path
    process: asyncio.subprocess.Process | None = None
    stopped: bool = field(default=False)

    @property
    def runs(self) -> bool:
        """Whether its process is alive."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """Start a process, which writes what it says to the end of the log."""
        lifeline = [sys.executable, "-m", "headrace.lab.lifeline", str(os.getpid())]
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *lifeline,
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A group of its own: Ctrl-C in a terminal is for this process, which ends the
                # others in order, and `kill` reaches all that the program has started.
                start_new_session=True,
            )
        self.stopped = False

    async def until_ready(self) -> None:
        """Wait until it answers. Raises LabError when it ends, or takes too long."""
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READY_WITHIN_S):
                    while True:
                        self.refuse_ended()
                        if await answers(session, self.ready_url):
                            return
                        await asyncio.sleep(_POLL_S)
        raise LabError(f"the {self.name} was not ready in {READY_WITHIN_S:g} s{self._tail()}")

    def refuse_ended(self) -> None:
        """Raise LabError if it has ended by itself."""
        if self.process is not None and self.process.returncode is not None and not self.stopped:
            code = self.process.returncode
            raise LabError(f"the {self.name} ended by itself with code {code}{self._tail()}")

    def kill(self) -> None:
        """End it, and all that it has started, at once and without a word (SIGKILL)."""
        self.stopped = True
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Ask it to end, and see to it."""
        self.stopped = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _tail(self) -> str:
        text = self.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
        return f"; it said:\n{text}" if text else ""


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    """Return whether a GET of `url` is answered with 200."""
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
