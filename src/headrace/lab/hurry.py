"""Lets a process that watches go before those that it watches: they share processors, and what it
says is right only if it is in time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def hurry() -> None:
    """Let this process, and what it starts, go before all others, if that is allowed."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """Let this process do so for a time. What it starts meanwhile does not: it is as usual."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
