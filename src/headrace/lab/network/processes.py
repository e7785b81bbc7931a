"""The processes that a process has started, by what the kernel says."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from pathlib import Path


def descendants(pid: int, *, naming: str = "") -> list[int]:
    """Return the processes that one has started, and theirs, nearest first. With `naming`, only
    those whose command has that word in it, and of a chain of them the first.
    """
    children = _children()
    found = []
    waiting = list(children[pid])
    while waiting:
        each = waiting.pop(0)
        fits = naming in _command(each)
        if fits:
            found.append(each)
        if not naming or not fits:
            waiting += children[each]
    return found


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
