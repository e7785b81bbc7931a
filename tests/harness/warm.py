"""Starts programs by forking a process that has imported them already.

Hundreds of tests start an edge, a VIP process or a command, and nine tenths of the processor time
of such a start are imports. Here each process that runs tests pays for them once for each program.
What a process then does is what it does when its command was run: it reads its arguments, its file
and its environment. The command itself is run by its own tests (`tests/integration/cli`,
`edge_from_arguments`), by those that need another program around it, by labs for all that runs in
them, and by the tests of `tests/e2e`.
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
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.harness.shifted.sitecustomize import SHIFTED_CLOCK
from tests.harness.warm_server import EDGE, ENDED, OTHERS, STARTED

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

    def __init__(self, program: str, environment: Mapping[str, str] | None = None) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.harness.warm_server"]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), program],
                cwd=ROOT,
                env=environment,
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
        namespace: str = "",
    ) -> Forked:
        """Start the program with these descriptors for what it writes, in a network namespace."""
        asked = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "directory": str(directory),
            "namespace": namespace,
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


_warm: dict[tuple[str, frozenset[tuple[str, str]]], Warm] = {}


def _read_at_a_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what Python and the system's loader read when a command is run, which a process that
    is forked has from the one that forks it: each such environment has one of its own.
    """
    found = {name: environment[name] for name in environment if name.startswith(("PYTHON", "LD_"))}
    found.pop("PYTHONUNBUFFERED", None)  # of standard output alone, which nothing here writes to
    return found


def _warm_for(program: str, environment: Mapping[str, str]) -> Warm:
    read = _read_at_a_start(environment)
    key = program, frozenset(read.items())
    found = _warm.get(key)
    if found is None or not found.lives:
        others = {
            name: os.environ[name] for name in os.environ.keys() - _read_at_a_start(os.environ)
        }
        others.pop(SHIFTED_CLOCK, None)
        found = _warm[key] = Warm(program, {**others, **read})
    return found


def start(
    program: str,
    arguments: Sequence[str],
    output: int,
    errors: int,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    namespace: str = "",
) -> Forked:
    """Start a program (see `warm_server.IMPORTED`) that reads nothing and writes to these
    descriptors, by default in this process's environment, directory and network.
    """
    environment = os.environ if environment is None else environment
    return _warm_for(program, environment).start(
        arguments,
        output,
        errors,
        environment=environment,
        directory=Path.cwd() if directory is None else directory,
        namespace=namespace,
    )


def start_headrace(words: Sequence[str], output: int, errors: int, **options: Any) -> Forked:
    """Start `headrace` with these words; the rest as `start`."""
    return start(EDGE if words[0] == EDGE else OTHERS, words, output, errors, **options)


def run_headrace(
    words: Sequence[str], *, timeout_s: float, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run `headrace` with these words to its end, and return what it wrote; the rest as `start`.
    Raises subprocess.TimeoutExpired, when it has been killed.
    """
    done = run_headrace_raw(words, timeout_s=timeout_s, **options)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def run_headrace_raw(
    words: Sequence[str], *, timeout_s: float, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run it as `run_headrace`, and return what it wrote as bytes."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start_headrace(words, output.fileno(), errors.fileno(), **options)
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(["headrace", *words], code, output.read(), errors.read())


def _readable(descriptor: int, timeout: float | None) -> bool:
    """Return whether there is something to read, or will be within so many seconds (None: ever)."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else 1000 * timeout))
