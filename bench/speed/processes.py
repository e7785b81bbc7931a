"""Starting peers and the origin on given cores, and reading what they cost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from bench.speed import counters
from bench.tied import tied

START_TIMEOUT_S = 20.0


class NotStarted(Exception):
    """A program did not begin to listen."""


class Program:
    """A process tree that we started; `stop` ends all of it.

    If nobody is left who could stop it, for this process was killed, the system tells it to end.
    """

    def __init__(
        self, command: Sequence[str], core: int, log: Path, env: dict[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                tied(["taskset", "-c", str(core), *command]),
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=os.environ | (env or {}),
            )

    def wait_for(self, port: int) -> None:
        """Wait until something listens. Raises NotStarted with the end of the log."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        raise NotStarted(f"nothing listens on {port}:\n{self.log.read_text()[-1500:]}")

    def tree(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def spread(self, cores: Sequence[int]) -> None:
        """Give each child a core of these, in turn, with all its threads; a parent has any."""
        own, *children = self.tree()
        for number, process in enumerate([own, *children]):
            allowed = set(cores) if process is own else {cores[number % len(cores)]}
            for thread in process.threads():
                os.sched_setaffinity(thread.id, allowed)

    @contextlib.contextmanager
    def stopped_at_end(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.stop()

    def pids(self) -> list[int]:
        """Of the whole tree."""
        return [process.pid for process in self.tree()]

    def cpu_s(self) -> float:
        """User and system seconds of the whole tree."""
        return counters.cpu_s(self.pids())

    def resident_bytes(self) -> int:
        """Memory of the tree, shared pages counted in proportion."""
        total = 0
        for process in self.tree():
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total

    def stop(self) -> None:
        processes = self.tree()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for process in processes:
            if process.is_running() and process.pid != self._process.pid:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
