"""Run an edge whose workers count what they do in Python: `python -m … FILE edge --config …`.

Each worker's loop adds up, in the file, the lines of Python it executes, the Python functions it
enters and the functions in C that it calls from there (see `tests.harness.steps`). Threads beside
the loop are not counted.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from headrace.cli.main import main
from tests.harness.steps import C_CALLS, CALLS, FILE_BYTES, LINES

_forks = 0


def count_in_workers(file: Path) -> None:
    """Begin to count in what is forked by what this process forks: the fork server's workers."""
    file.write_bytes(bytes(FILE_BYTES))
    with file.open("r+b") as opened:
        counts = memoryview(mmap.mmap(opened.fileno(), FILE_BYTES)).cast("Q")

    def line(_frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            counts[LINES] += 1
        return line

    def enter(_frame: FrameType, _event: str, _argument: Any) -> Any:
        counts[CALLS] += 1
        return line

    def call(_frame: FrameType, event: str, _argument: Any) -> None:
        if event == "c_call":
            counts[C_CALLS] += 1

    def forked() -> None:
        global _forks
        _forks += 1
        if _forks == 2:
            sys.settrace(enter)
            sys.setprofile(call)

    os.register_at_fork(after_in_child=forked)


if __name__ == "__main__":
    count_in_workers(Path(sys.argv.pop(1)))
    main()
