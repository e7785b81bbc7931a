"""One worker after the other: the one before may still remove what it bound, and leave routers.

It lives on for a moment when the supervisor was killed and another one has started. The lock is the
kernel's (`flock`), so it is gone with the process that has it, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

FILE = "worker.lock"
WAIT_S = 8.0
LOOK_S = 0.05

log = structlog.get_logger("headrace.vip")


@dataclass(slots=True)
class Turn:
    """The turn of this process, until `release`. Without `held` the one before hangs, and has it
    still.
    """

    held: bool
    _descriptor: int | None

    @classmethod
    def take(cls, directory: Path, within_s: float = WAIT_S) -> Self:
        """Wait until the worker before is gone, for so long at most: one that is stopped or hangs
        announces nothing any more, and must not keep this server from its VIPs. Raises OSError.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(directory / FILE, flags, 0o600)
        until_s = time.monotonic() + within_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until_s:
                    log.error("former_worker_lives", waited_s=within_s)
                    return cls(held=False, _descriptor=descriptor)
                time.sleep(LOOK_S)
            except OSError:
                os.close(descriptor)
                raise
            else:
                return cls(held=True, _descriptor=descriptor)

    def release(self) -> None:
        """Let the next one begin."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
