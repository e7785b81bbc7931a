"""Files in directories where another user may write too, as a daemon's own user may.

What such a user has put there, a link or a pipe, is replaced and never followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def new_file(path: Path, mode: int = 0o644) -> BinaryIO:
    """Return an empty file that was not there before, to write to, in place of what was.

    Raises OSError.
    """
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "wb")


def read_file(path: Path, most_bytes: int) -> bytes:
    """Return the beginning of a file; nothing of what is none. Never waits. Raises OSError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return b""
        return file.read(most_bytes)
