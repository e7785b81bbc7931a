"""Labs for tests: each has a name of its own, and is told what to do by `headrace lab`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from headrace.lab.drill.report import Report
from headrace.lab.namespaces.namespace import names
from headrace.lab.network.plan import PREFIX
from headrace.lab.network.state import LabState, read_state
from tests.harness import warm
from tests.harness.polling import eventually

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
COMMAND_WITHIN_S = 180.0
DRILL_WITHIN_S = 400.0
_numbers = count(1)


@contextlib.contextmanager
def fresh_lab() -> Iterator[LabUnderTest]:
    """A lab that is not there yet, and of which nothing is left afterwards."""
    assert os.geteuid() == 0, "a lab needs root"
    root = Path(tempfile.mkdtemp(prefix="hrt-"))
    root.chmod(0o755)
    made = LabUnderTest(root)
    try:
        yield made
    finally:
        if made.left():
            made("down")
        left = made.left()
        shutil.rmtree(root, ignore_errors=True)
    assert left == []


class LabUnderTest:
    """A lab by a name that no other test has."""

    def __init__(self, state_dir: Path) -> None:
        self.name = f"t{os.getpid()}-{next(_numbers)}"
        self.state_dir = state_dir

    def __call__(self, command: str, *words: str, code: int = 0) -> str:
        """What a command says; it must end with that code."""
        options = ["--name", self.name, "--state-dir", str(self.state_dir)]
        done = warm.run_headrace(
            ["lab", command, *options, *words], timeout_s=COMMAND_WITHIN_S, directory=ROOT
        )
        assert done.returncode == code, f"{command}: {done}"
        return done.stdout + done.stderr

    def drill(self, *words: str) -> tuple[int, Report, str]:
        """Run drills, which make the lab and remove it; what they came to, and what was said."""
        place = ["--name", self.name, "--state-dir", str(self.state_dir)]
        done = warm.run_headrace(
            ["lab", "drill", *words, "--topology", "small", "--json", *place],
            timeout_s=DRILL_WITHIN_S,
            directory=ROOT,
        )
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, msgspec.json.decode(done.stdout, type=Report), done.stderr

    @property
    def state(self) -> LabState:
        """What is kept of it."""
        found = read_state(self.state_dir / self.name)
        assert found is not None
        return found

    def vips(self) -> dict[str, str]:
        """By which server each VIP's packets go."""
        rows: list[dict[str, Any]] = json.loads(self("status", "--json"))["vips"]
        return {row["vip"]: row["via"] for row in rows}

    def goes_to(self, vip: str, server: str) -> None:
        """Wait until a VIP's packets go to a server."""
        eventually(
            lambda: self.vips()[vip] == server, f"{vip} goes to {server}", PATIENCE_S, every_s=0.3
        )

    def fetch(self, client: str, url: str) -> tuple[str, bytes]:
        """The answer to a GET from a client: its head and body."""
        place = ["--name", self.name, "--state-dir", str(self.state_dir)]
        curl = ["curl", "-gsS", "-m", "10", "-D", "/dev/stderr", url]
        done = warm.run_headrace_raw(
            ["lab", "exec", *place, client, "--", *curl], timeout_s=PATIENCE_S, directory=ROOT
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stderr.decode(), done.stdout

    def left(self) -> list[str]:
        """Everything that there is of it."""
        processes = []
        for one in Path("/proc").iterdir():
            if one.name.isdecimal():
                try:
                    words = (one / "cmdline").read_bytes()
                except OSError:
                    continue
                if f"{self.state_dir}/{self.name}".encode() in words:
                    processes.append(words.decode(errors="replace"))
        files = [str(one) for one in self.state_dir.glob(f"{self.name}*")]
        return [*names(f"{PREFIX}{self.name}."), *processes, *files]
