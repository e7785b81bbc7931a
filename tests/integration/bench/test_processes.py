"""The bench's programs end with it, however it ends."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.polling import eventually

ROOT = Path(__file__).resolve().parents[3]
BENCH = """
import sys, time
from pathlib import Path
from bench.speed.processes import Program
program = Program(["sleep", "600"], 0, Path(sys.argv[1]))
print(program.pids()[0], flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_ends_with_a_bench_that_is_killed(tmp_path: Path, end: signal.Signals) -> None:
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    with subprocess.Popen(
        [sys.executable, "-c", BENCH, str(tmp_path / "log")],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.PIPE,
    ) as bench:  # fmt: skip
        assert bench.stdout is not None
        program = psutil.Process(int(bench.stdout.readline()))
        try:
            eventually(lambda: program.name() == "sleep", "the program runs")
            bench.send_signal(end)
            bench.wait(20)
            eventually(lambda: not program.is_running(), "the program is gone")
        finally:
            bench.kill()
            if program.is_running():
                program.kill()


def _starts(path: Path) -> Iterator[ast.Call]:
    """Yield the calls that start a program which could run for long."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(ast.Name("subprocess"), "Popen")):
                yield node


def test_whatever_a_bench_starts_is_tied_to_it() -> None:
    starts = [(path, call) for path in (ROOT / "bench").rglob("*.py") for call in _starts(path)]
    assert len(starts) > 3
    loose = []
    for path, call in starts:
        match call.args[0]:
            case ast.Call(func=ast.Name("tied")):
                continue
        text = path.read_text()
        if not (isinstance(call.args[0], ast.Name) and "--pdeathsig" in text):
            loose.append(f"{path.name}:{call.lineno}")
    assert loose == []
