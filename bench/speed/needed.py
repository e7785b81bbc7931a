"""What a run needs of the machine, and what it does without."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable, Iterable, Sequence

PROGRAMS = {
    "nginx": "nginx-light",
    "wrk": "wrk",
    "setpriv": "util-linux",
    "taskset": "util-linux",
}
"""What starts the origin, the load and each server on its core, with the Debian packages."""
CORES = 2
DESCRIPTORS = 12_000
"""For 10,000 idle connections and what else is open."""
BUSY = 0.5
Say = Callable[[str], None]


def refusal(found: Callable[[str], str | None], cores: int) -> str | None:
    """Why nothing can be measured here, with the remedy; None when it can. Pure but for `found`."""
    missing = [name for name in PROGRAMS if found(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(PROGRAMS[name] for name in missing))
        return f"{', '.join(missing)} not found: run 'apt install {packages}' as root"
    if cores < CORES:
        return f"it needs {CORES} processor cores, and may use {cores} here"
    return None


def check() -> str | None:
    """The same of this machine."""
    return refusal(shutil.which, len(os.sched_getaffinity(0)))


def without(
    absent: Iterable[str], *, counted: bool, descriptors: int, load: float
) -> Sequence[str]:
    """What this run will lack, a line each. `load` is the load average of the last minute. Pure."""
    lines = [
        f"{name} is not installed and is left out: see scripts/install-bench-peers"
        for name in absent
    ]
    if not counted:
        lines.append("no instructions are counted: perf is missing, or cannot count them here")
    if descriptors < DESCRIPTORS:
        lines.append(
            f"a process may open {descriptors:,} files here, and idle connections (i) need "
            f"{DESCRIPTORS:,}: raise it with 'ulimit -n'"
        )
    if load > BUSY:
        lines.append(
            f"others use this machine (load {load:.1f}): ratios will scatter, and absolute figures "
            "say little"
        )
    return lines


def raise_descriptors() -> int:
    """Take as many descriptors as may be had, also for what is started; how many they are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else DESCRIPTORS
