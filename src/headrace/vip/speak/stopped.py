"""Ends a former guard that is stopped: it withdraws nothing, and nobody else may while it lives.

Its own process would have ended it, had that not died before it saw that the guard is deaf. One
that runs is left alone: another process announces by the same daemon.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

GUARD_MODULE = "headrace.vip.speak.guard_process"
LONGEST_PID = 20


def note_own(descriptor: int) -> None:
    """Write into the lock's file whose it is. Raises OSError."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)


def end_stopped(descriptor: int) -> int:
    """End the guard that the lock's file names, if it is one and is stopped; return its process id,
    0 where nothing was ended.
    """
    try:
        pid = int(os.pread(descriptor, LONGEST_PID, 0))
        process = os.pidfd_open(pid)
    except (OSError, ValueError, OverflowError):
        return 0
    try:
        if not _is_stopped_guard(Path(f"/proc/{pid}")):
            return 0
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except OSError:
        return 0
    finally:
        os.close(process)
    return pid


def _is_stopped_guard(process: Path) -> bool:
    words = (process / "cmdline").read_bytes().split(b"\0")
    state = (process / "stat").read_text("ascii", errors="replace").rpartition(")")[2].split()[0]
    return state == "T" and GUARD_MODULE.encode() in words
