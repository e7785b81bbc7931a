"""What a slice cost the processor: time by the kernel's clocks, instructions by `perf stat`.

Instructions are counted for whole processes with all their threads, in user mode and in the kernel.
perf attaches before a slice, and is told over a pipe when to begin and end: so starting it is not
counted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.tied import tied

INSTRUCTIONS = "instructions"
ATTACH_S = 5.0


class NotCounted(Exception):
    """perf said nothing of use."""


def cpu_s(pids: Sequence[int]) -> float:
    """Seconds that these processes had of processors, with all threads, to the nanosecond.

    `/proc/PID/stat` counts in hundredths of a second, which are some per cent of a slice.
    """
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def count_of(said: str, event: str = INSTRUCTIONS) -> float:
    """The event's count in what `perf stat -x,` wrote. Raises NotCounted."""
    total, found = 0.0, False
    for line in said.splitlines():
        fields = line.split(",")
        # On processors with two kinds of cores there is a line for each kind.
        if len(fields) > 2 and event in fields[2]:
            try:
                total += float(fields[0])
            except ValueError:  # <not supported>, <not counted>
                continue
            found = True
    if not found:
        raise NotCounted(said.strip()[-200:] or "perf said nothing")
    return total


@dataclass(slots=True)
class Counted:
    """Filled in at the end; None when nothing was counted."""

    count: float | None = None


class Counter:
    """Counts one event of processes, where the machine counts it."""

    def __init__(self, event: str = INSTRUCTIONS) -> None:
        self.event = event
        self.works = _works(event)

    @contextlib.contextmanager
    def counting(self, pids: Sequence[int]) -> Iterator[Counted]:
        """What these processes do within. Never raises: without perf the count is None."""
        counted = Counted()
        if not self.works or not pids:
            yield counted
            return
        with contextlib.ExitStack() as stack:
            try:
                perf = stack.enter_context(_Perf(self.event, pids))
            except (OSError, NotCounted):
                yield counted
                return
            yield counted
            with contextlib.suppress(OSError, NotCounted, subprocess.TimeoutExpired):
                counted.count = perf.end()


class _Perf:
    """A perf that is attached to processes, and counts from when it is entered."""

    def __init__(self, event: str, pids: Sequence[int]) -> None:
        self._event = event
        self._place = tempfile.TemporaryDirectory(prefix="headrace-perf-")
        root = Path(self._place.name)
        self._out = root / "out"
        control, acknowledged = root / "control", root / "ack"
        os.mkfifo(control)
        os.mkfifo(acknowledged)
        # Open for both ways, so that neither opening waits for perf, nor outlives it.
        self._control = os.open(control, os.O_RDWR)
        self._acknowledged = os.open(acknowledged, os.O_RDWR | os.O_NONBLOCK)
        self._process = subprocess.Popen(
            tied([
                "perf", "stat", "-x", ",", "-o", str(self._out), "-e", event, "-D", "-1",
                "--control", f"fifo:{control},{acknowledged}",
                "-p", ",".join(map(str, pids)),
            ]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C"},
        )  # fmt: skip

    def __enter__(self) -> _Perf:
        try:
            self._say("enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def end(self) -> float:
        """The count. Raises NotCounted."""
        self._say("disable")
        self._process.send_signal(signal.SIGINT)
        self._process.wait(ATTACH_S)
        return count_of(self._out.read_text(), self._event)

    def _say(self, word: str) -> None:
        os.write(self._control, word.encode() + b"\n")
        until = time.monotonic() + ATTACH_S
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(BlockingIOError):
                if b"ack" in os.read(self._acknowledged, 64):
                    return
            time.sleep(0.001)
        raise NotCounted(f"perf did not {word}")

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._control)
        os.close(self._acknowledged)
        self._place.cleanup()


def _works(event: str) -> bool:
    """Whether perf is there, and this machine counts the event."""
    if shutil.which("perf") is None:
        return False
    done = subprocess.run(
        ["perf", "stat", "-x", ",", "-e", event, "true"],
        capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"},
    )  # fmt: skip
    try:
        return count_of(done.stderr, event) > 0
    except NotCounted:
        return False
