"""Compiles a description in a process of its own, so that a supervisor never waits for a million
prefixes, and has nothing of them in its memory.

Run as `python -m headrace.node.network.compile <file> <descriptor>`: the snapshot goes into the
descriptor, an Outcome to standard output. With `--last-good` before them, the file is a snapshot
that was kept on disk.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import msgspec

from headrace.errors import HeadraceError
from headrace.node.network.files import NoFileError, files_of, opened, signatures_of
from headrace.node.network.last_good import read_last_good
from headrace.node.network.outcome import LAST_GOOD, Outcome
from headrace.topology.build import load_topology
from headrace.topology.snapshot import encode

NICER = 5
"""The workers come first."""


def compile_description(path: Path, descriptor: int) -> Outcome:
    """Write the snapshot of a description; return how it went."""
    before = signatures_of(files_of(path))
    problem = _unfit(path) or _attempt(path, descriptor)
    return Outcome(problem, before, torn=signatures_of(before) != before)


def _unfit(path: Path) -> str:
    """Return why something is not even opened: a pipe would be waited for."""
    try:
        opened(path).close()
    except NoFileError:
        return f"{path}: is no file: put the description there, or a link to it"
    except OSError:
        return ""  # whoever reads it says why, and what to do
    return ""


def _attempt(path: Path, descriptor: int) -> str:
    try:
        _write(descriptor, encode(load_topology(path)))
    except (HeadraceError, OSError, ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return ""


def compile_last_good(path: Path, descriptor: int) -> Outcome:
    """Check a snapshot that was kept on disk and write it, with a table made again of it: the
    Headrace that kept it may have been another.
    """
    try:
        _write(descriptor, encode(read_last_good(path)))
    except (HeadraceError, OSError, ValueError, RecursionError, MemoryError) as error:
        return Outcome(str(error) or type(error).__name__)
    return Outcome()


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def main(arguments: list[str]) -> int:
    """Do what the command line asks for."""
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(NICER)
    *options, path, descriptor = arguments
    work = compile_last_good if options == [LAST_GOOD] else compile_description
    outcome = msgspec.json.encode(work(Path(path), int(descriptor)))
    try:
        sys.stdout.buffer.write(outcome)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # whoever waited for it was killed
        os._exit(1)  # Python's own end would flush once more, and complain
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
