"""Whose a directory is: one that others can write to is no place for what all clients get."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path


def foreign(path: Path) -> tuple[str, str] | None:
    """Return what is wrong with `path`, and the remedy, when not this user alone can write there.

    A link is followed: its target is what counts. Raises OSError.
    """
    found = path.stat()
    user = os.geteuid()
    if found.st_uid != user:
        return (
            f"{path} belongs to {_name(found.st_uid)}, but headrace runs as {_name(user)}",
            f"run `chown -R {_name(user)} {path}`, or choose another directory",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return (
            f"{path} can be written to by others (mode {stat.S_IMODE(found.st_mode):04o})",
            f"run `chmod 0700 {path}` after a look at what is in it, or choose another directory",
        )
    return None


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
