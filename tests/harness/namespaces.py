"""Network namespaces for tests: made with names of their own, wired by veth pairs, and removed.

A name holds the process that made it, so tests may run in parallel, and what a killed test left is
known: `sweep` removes the namespaces whose process is gone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

from headrace.lab.errors import LabError
from headrace.lab.namespaces import namespace as lab
from headrace.lab.namespaces.commands import run
from headrace.lab.namespaces.enter import enter
from headrace.lab.namespaces.namespace import End, link, names
from tests.harness import warm
from tests.harness.warm import Process

__all__ = ["Namespace", "Namespaces", "enter", "run", "sweep"]
PREFIX = "hrt-"
_numbers = count(1)


def sweep() -> None:
    """Remove the namespaces that tests left which are no more."""
    for name in names(PREFIX):
        owner = name.removeprefix(PREFIX).split("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            with contextlib.suppress(LabError):
                Namespace(name).remove()


class Namespace(lab.Namespace):
    """One of them, with what a test has started in it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._processes: list[Process] = []

    def popen(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a command inside."""
        process = subprocess.Popen([*self.prefix, *command], **options)
        self._processes.append(process)
        return process

    def logged(self, command: Sequence[str], log: Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command inside, with what it has to complain about in a file."""
        with log.open("ab") as file:
            return self.popen(command, stderr=file, **options)

    def start_headrace(self, words: Sequence[str], log: Path, directory: Path) -> Process:
        """Start `headrace` with these words inside; what it writes goes to the end of a file."""
        with log.open("ab") as file:
            out = file.fileno()
            process = warm.start_headrace(words, out, out, directory=directory, namespace=self.name)
        self._processes.append(process)
        return process

    def run_headrace(
        self, words: Sequence[str], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `headrace` with these words inside, to its end."""
        return warm.run_headrace(words, timeout_s=timeout_s, namespace=self.name)

    def black_hole(self, device: str) -> None:
        """Drop what comes in and goes out there, without a word to either side."""
        self.nft(
            "table inet hole {\n"
            f' chain in {{ type filter hook prerouting priority -300; iifname "{device}" drop; }}\n'
            f' chain out {{ type filter hook output priority -300; oifname "{device}" drop; }}\n'
            "}\n"
        )

    def heal(self) -> None:
        """Let everything through again."""
        self.nft("delete table inet hole\n")

    def remove(self) -> None:
        """Kill what runs inside, and remove it."""
        super().remove()
        for process in self._processes:
            process.wait(10)
            for pipe in (getattr(process, "stdin", None), getattr(process, "stdout", None)):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


class Namespaces:
    """The namespaces of one test. Use as a context manager."""

    def __init__(self) -> None:
        self._made: list[Namespace] = []

    def __enter__(self) -> Self:
        assert os.geteuid() == 0, "network namespaces need root"
        sweep()
        return self

    def __exit__(self, *_error: object) -> None:
        failed = []
        for one in self._made:
            try:
                one.remove()
            except LabError as error:
                failed.append(str(error))
        assert not failed, failed

    def add(self, role: str) -> Namespace:
        """Make one; `role` only makes its name speak."""
        made = Namespace(f"{PREFIX}{os.getpid()}-{next(_numbers)}-{role}")
        self._made.append(made)
        made.add()
        return made

    def link(
        self,
        left: tuple[Namespace, str, Sequence[str]],
        right: tuple[Namespace, str, Sequence[str]],
    ) -> None:
        """Join two by a veth pair: each side is (where, the device's name, its addresses)."""
        link(End(*left), End(*right))
