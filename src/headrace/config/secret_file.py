"""How a file of secrets is read, whatever has its name: a pipe would be waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_secret_file(path: Path, most_bytes: int) -> bytes:
    """Return a file's content, a byte more than `most_bytes` of one that is larger.

    Raises ValueError, which says what is wrong with it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("it is no file")
            return file.read(most_bytes + 1)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
