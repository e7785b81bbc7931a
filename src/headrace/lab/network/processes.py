"""The processes that a process has started, by what the kernel says."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def descendants(pid: int, *, sparing: str = "") -> list[int]:
    """Return the processes that one has started, and theirs, nearest first. Those whose command has
    the word `sparing` in it are left out, and theirs with them.
    """
    children = _children()
    found = []
    waiting = list(children[pid])
    while waiting:
        each = waiting.pop(0)
        if not sparing or sparing not in _command(each):
            found.append(each)
            waiting += children[each]
    return found


def named(pids: Iterable[int], word: str) -> list[int]:
    """Return those of some processes whose command has that word in it."""
    return [pid for pid in pids if word in _command(pid)]


def _children() -> defaultdict[int, list[int]]:
    """Return who has started whom. Not every kernel lists the children of a process."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for one in Path("/proc").iterdir():
        if one.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (one / "stat").read_text().rpartition(")")[2].split()
                found[int(fields[1])].append(int(one.name))
    return found


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b" ".join(words).decode(errors="replace")
    return ""


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal, if the process is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
