"""Keeps a state directory for one process of a role: two would overwrite what the other keeps.

The lock is the kernel's (`flock`), so it is gone with the process that has it, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from headrace.config.problems import ConfigError, Problem

_LONGEST_PID = 20


@dataclass(slots=True)
class StateLock:
    """A directory that is taken until `release`."""

    _descriptor: int | None

    @classmethod
    def take(cls, directory: Path, role: str) -> Self:
        """Take a directory for a role.

        Raises ConfigError when another process has it, or OSError.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(directory / f"{role}.lock", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, _LONGEST_PID).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise _taken(directory, role, owner) from None
        except OSError:
            os.close(descriptor)
            raise
        with contextlib.suppress(OSError):  # a full disk: only the message lacks it
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % os.getpid())
        return cls(descriptor)

    def release(self) -> None:
        """Leave the directory to others."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _taken(directory: Path, role: str, owner: str) -> ConfigError:
    who = f"process {owner}" if owner.isdigit() else "another process"
    problem = Problem(
        ("state_dir",),
        f"another {role} process keeps there what it decides ({who})",
        "stop that one, or give this one a state_dir, a node_id and listeners of its own",
        repr(str(directory)),
    )
    return ConfigError([problem], lambda _path: role)
