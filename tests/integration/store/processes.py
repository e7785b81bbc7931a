"""Starting the store's test processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module of this package in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.integration.store.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def said(process: subprocess.Popen[bytes]) -> str:
    """The next line that the process prints; empty when it ended."""
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def tell(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()


def end(process: subprocess.Popen[bytes]) -> int:
    """Kill the process if it still runs; its exit code."""
    process.kill()
    with process:
        pass
    return process.returncode
