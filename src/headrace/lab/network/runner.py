"""Runs one program of a lab: starts it in its namespace, starts it again when it ends by itself,
sends it signals, and keeps its log within bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from headrace.lab.errors import LabError
from headrace.lab.namespaces.enter import inside
from headrace.lab.network.processes import descendants, send
from headrace.lab.network.programs import Program
from headrace.lab.network.state import ProgramState, process_id

READY_WITHIN_S = 120.0
END_WITHIN_S = 5.0
LOG_BYTES = 4 * 1024 * 1024
_KEPT_LOG_BYTES = 256 * 1024
_SHOWN_LOG_BYTES = 2000
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 10.0
_POLL_S = 0.2
_MOST_ANSWER_BYTES = 4096
_ENDING = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT})


class Runner:
    """One program. `changed` is called whenever what `state` returns has changed."""

    def __init__(
        self, program: Program, namespace: str, log: Path, changed: Callable[[], None]
    ) -> None:
        self.program = program
        self.log = log
        self.wanted = False
        self.paused = False
        self.restarts = 0
        self._soon = asyncio.Event()
        self._namespace = namespace
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Return the number of its process, 0 if there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else 0

    @property
    def state(self) -> ProgramState:
        """Return what is kept of it."""
        return ProgramState(
            self.program.machine,
            self.program.name,
            process_id(self.pid) if self.pid else None,
            self.wanted,
            self.paused,
            self.restarts,
        )

    @property
    def ending(self) -> bool:
        """Return whether it was told to end, and has not been seen to have ended yet."""
        return not self.wanted and self._watch is not None and not self._watch.done()

    async def start(self) -> None:
        """Start it, unless it runs, and keep it running. One that is about to end is started again
        as soon as it has. Raises OSError.
        """
        if self._watch is not None and not self._watch.done():
            if self.ending or not self.pid:
                self._soon.set()
            self.wanted = True
            return
        self.wanted = True
        await self._spawn()
        self._watch = asyncio.create_task(self._keep())

    async def _spawn(self) -> None:
        self.paused = False
        if self.program.ready_file is not None:
            self.program.ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "headrace.lab.namespaces.inside", self._namespace]
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                str(os.getpid()),
                *self.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._changed()

    async def _keep(self) -> None:
        wait_s = _FIRST_WAIT_S
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None  # it was started before
            began_s = loop.time()
            await self._process.wait()
            self._changed()
            if not self.wanted:
                return
            long = loop.time() - began_s > _LONGEST_WAIT_S
            wait_s = _FIRST_WAIT_S if long else min(2 * wait_s, _LONGEST_WAIT_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), wait_s)
            if not self.wanted:
                return
            self.restarts += not self._soon.is_set()
            self._soon.clear()
            await self._spawn()

    async def until_ready(self) -> None:
        """Wait until it is ready. Raises LabError when it is not, after a while."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + READY_WITHIN_S
        while loop.time() < until_s and self.restarts == 0:
            if self.pid and await asyncio.to_thread(self._is_ready):
                return
            await asyncio.sleep(_POLL_S)
        if self.restarts:
            raise LabError(f"{self.program.key} ended before it was ready{self.last_words()}")
        raise LabError(
            f"{self.program.key} was not ready within {READY_WITHIN_S:g} s: where the machine is "
            f"too busy, end what else runs, or take a smaller topology{self.last_words()}"
        )

    def _is_ready(self) -> bool:
        if self.program.ready_file is not None:
            return self.program.ready_file.exists()
        if not self.program.ready_url:
            return True
        with contextlib.suppress(LabError):
            return inside(self._namespace, lambda: answers(self.program.ready_url))
        return False

    def signal(self, number: signal.Signals, *, sparing: bool = False) -> None:
        """Send a signal to it and to all that it has started; with `sparing` not to what it spares.
        After one that ends it, it stays down until it is started again.
        """
        if number in _ENDING:
            self.wanted = False
            self._soon.clear()
        if not self.pid:
            return
        self.paused = number is signal.SIGSTOP or (self.paused and number is not signal.SIGCONT)
        others = descendants(self.pid, sparing=self.program.spares if sparing else "")
        for pid in (self.pid, *others):
            send(pid, number)
        self._changed()

    async def end(self) -> None:
        """Ask it to end, and see to it."""
        self.wanted = False
        process, watch = self._process, self._watch
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), END_WITHIN_S)
            except TimeoutError:
                self.signal(signal.SIGKILL)
                await process.wait()
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    def trim_log(self) -> None:
        """Move the end of a log that has grown too long to `.old`, and begin it again."""
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_BYTES:
                self.log.with_suffix(".log.old").write_bytes(_tail(self.log, _KEPT_LOG_BYTES))
                os.truncate(self.log, 0)

    def last_words(self) -> str:
        """Return what it said at last, to stand behind a message."""
        text = _tail(self.log, _SHOWN_LOG_BYTES).decode(errors="replace").strip()
        return f"; it said:\n{text}" if text else ""


def _tail(path: Path, most: int) -> bytes:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most)
    return b""


def answers(url: str, *, draining: bool = False) -> bool:
    """Return whether a GET of `url` is answered with 200, from here; or says that it drains, where
    that is as good.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=1.0)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.status == 200 or (draining and b"draining" in answer.read(_MOST_ANSWER_BYTES))
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
