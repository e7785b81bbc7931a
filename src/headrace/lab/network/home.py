"""Where a lab's files are, and the lock that keeps two labs of one name apart."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from headrace.lab.errors import LabError

DEFAULT_ROOT = Path("/var/lib/headrace-lab")
MARK = ".headrace-lab"
_LOCK_SUFFIX = ".lock"
_POLL_S = 0.05


def labs(root: Path) -> list[str]:
    """Return the names of the labs that have files there."""
    if not root.is_dir():
        return []
    return sorted(one.name for one in root.iterdir() if (one / MARK).exists())


def options(root: Path, name: str) -> str:
    """Return the options of commands that are to mean this lab."""
    place = "" if root == DEFAULT_ROOT else f" --state-dir {shlex.quote(str(root))}"
    return f"--name {name}{place}"


def make_home(directory: Path) -> None:
    """Make a lab's directory, new and empty. Raises LabError, OSError."""
    remove_home(directory)
    directory.mkdir(mode=0o755, parents=True)
    (directory / MARK).touch()


def remove_home(directory: Path) -> None:
    """Remove a lab's directory, if it is one. Raises LabError, OSError."""
    if not directory.exists():
        return
    if not (directory / MARK).exists() and any(directory.iterdir()):
        raise LabError(f"{directory} is not of a lab: move it away, or name another --state-dir")
    shutil.rmtree(directory)


@contextlib.contextmanager
def locked(root: Path, name: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of a lab, which ends with this process, however that ends. Its file goes at the
    end. Raises LabError when another process has it.
    """
    path = root / f"{name}{_LOCK_SUFFIX}"
    until = time.monotonic() + wait_s
    while (file := _try_lock(path)) is None:
        if time.monotonic() > until:
            raise LabError(
                f"the lab {name} runs already: headrace lab down {options(root, name)} ends it"
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)
        with contextlib.suppress(OSError):  # another lab is there
            root.rmdir()


def _try_lock(path: Path) -> int | None:
    # With the last lab goes the directory of all.
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it before may have removed this file meanwhile: then it locks nothing.
        if os.fstat(file).st_ino == path.stat().st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)
    return None
