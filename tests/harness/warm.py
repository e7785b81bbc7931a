"""Starts programs by forking a process that has imported them already.

Hundreds of tests start an edge, and nine tenths of the processor time of such a start are imports.
Here each process that runs tests pays for them once for each program. What a process then does is
what it does when its command was run: it reads its arguments, its file and its environment. The
command itself is run by its own tests (`tests/integration/cli`, `edge_from_arguments`), by those
that need another program around it, by all of the lab's and by those of `tests/e2e`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.harness.warm_server import ENDED, STARTED

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 90.0
UNKNOWN_END = 255


class Process(Protocol):
    """What tests may ask of a process that they started: a part of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...
    def send_signal(self, sig: int) -> None: ...


class Forked:
    """A process that was forked, as `subprocess.Popen` would show it."""

    def __init__(self, word: int) -> None:
        self.returncode: int | None = None
        self._word = word
        if not _readable(word, START_TIMEOUT_S):
            raise TimeoutError(f"no process within {START_TIMEOUT_S:g} s")
        said = os.read(word, STARTED.size)
        if not said:
            raise ChildProcessError("the process that forks programs has ended")
        (self.pid,) = STARTED.unpack(said)

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        self._look(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has. Raises subprocess.TimeoutExpired."""
        self._look(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return self.returncode

    def kill(self) -> None:
        """End it at once, if it runs."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, sig: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            # It may have ended just now, and its end is about to be told.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def _look(self, timeout: float | None) -> None:
        if self.returncode is None and _readable(self._word, timeout):
            said = os.read(self._word, ENDED.size)
            os.close(self._word)
            self.returncode = ENDED.unpack(said)[0] if said else UNKNOWN_END


class Warm:
    """A process that has imported one program, begun when it is first wanted."""

    def __init__(self, program: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.harness.warm_server"]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), program],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._sock = ours
        atexit.register(self.close)

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def start(
        self,
        arguments: Sequence[str],
        output: int,
        errors: int,
        *,
        environment: Mapping[str, str],
        directory: Path,
    ) -> Forked:
        """Start the program with these descriptors for what it writes."""
        asked = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "directory": str(directory),
        }
        word, theirs = os.pipe()
        try:
            socket.send_fds(self._sock, [json.dumps(asked).encode()], [output, errors, theirs])
        finally:
            os.close(theirs)
        return Forked(word)

    def close(self) -> None:
        """End it, and what it forked and still runs."""
        self._sock.close()
        self._process.wait()


_warm: dict[str, Warm] = {}


def _read_at_a_start(environment: Mapping[str, str]) -> dict[str, str]:
    found = {name: environment[name] for name in environment if name.startswith(("PYTHON", "LD_"))}
    found.pop("PYTHONUNBUFFERED", None)  # of standard output alone, which nothing here writes to
    return found


_OURS = _read_at_a_start(os.environ)


def possible(environment: Mapping[str, str]) -> bool:
    """Return whether a forked process can have this environment. What Python and the system's
    loader read of it they read when a command is run; a clock of its own is loaded so.
    """
    return _read_at_a_start(environment) == _OURS


def start(
    program: str,
    arguments: Sequence[str],
    output: int,
    errors: int,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Forked:
    """Start a program (see `warm_server.IMPORTED`) that reads nothing and writes to these
    descriptors, by default in this process's environment and directory.
    """
    environment = os.environ if environment is None else environment
    assert possible(environment), "what is read when a command is run needs one"
    warm = _warm.get(program)
    if warm is None or not warm.lives:
        warm = _warm[program] = Warm(program)
    return warm.start(
        arguments,
        output,
        errors,
        environment=environment,
        directory=Path.cwd() if directory is None else directory,
    )


def _readable(descriptor: int, timeout: float | None) -> bool:
    """Return whether there is something to read, or will be within so many seconds (None: ever)."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else 1000 * timeout))
