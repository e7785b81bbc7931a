"""`headrace demo` as a user runs it, on free ports."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.harness.polling import eventually

START_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0


class Demo:
    """A running demo; its cache is empty at first."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log
        command = [str(Path(sys.executable).with_name("headrace")), "demo", *arguments]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def url(self, path: str) -> str:
        """The address of something that the edge serves."""
        found = re.search(r"Player: +(\S+)/\n", self.output)
        assert found, self.output
        return found[1] + path

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"the demo ended:\n{self.output}"
            return "Stop with Ctrl-C." in self.output

        eventually(ready, "the demo greets", START_WITHIN_S)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN_S)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_WITHIN_S)
