"""Writes files whole or not at all: what is there under its name is never half of something."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from headrace.errors import HeadraceError


class UnwritableOutput(HeadraceError):
    """A report or a table cannot be written."""


def check_file(path: Path) -> None:
    """Raise UnwritableOutput where no file of this name can be written: before a long run."""
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise UnwritableOutput(f"{path} is no file: name another one to be written")
        _check_directory(path.resolve().parent)
    except (OSError, RuntimeError, ValueError) as error:
        raise UnwritableOutput(f"{path} cannot be written: {_said(error)}") from error


def check_directory(path: Path) -> None:
    """Raise UnwritableOutput where no files can be written into a directory of this name; it is
    made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        _check_directory(path)
    except (OSError, ValueError) as error:
        raise UnwritableOutput(f"{path} cannot be written: {_said(error)}") from error


def write_file(path: Path, text: str) -> None:
    """Write a file. Raises UnwritableOutput."""
    write_files({path: text})


def write_files(texts: Mapping[Path, str]) -> None:
    """Write files that belong together: the last is there only when all others are. Raises
    UnwritableOutput.
    """
    new: dict[Path, Path] = {}
    path = Path()
    try:
        for path, text in texts.items():
            whole = path.resolve()
            beside = whole.with_name(f".{whole.name[:200]}.{os.getpid()}.new")
            new[beside] = whole
            _write(beside, text)
        if len(new) > 1:
            [*new.values()][-1].unlink(missing_ok=True)
        for beside, whole in new.items():
            beside.replace(whole)
    except (OSError, RuntimeError, ValueError) as error:
        raise UnwritableOutput(f"{path} cannot be written: {_said(error)}") from error
    finally:
        for beside in new:
            beside.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o644), "w", newline="", encoding="utf-8") as file:
        file.write(text)


def _check_directory(path: Path) -> None:
    if not path.is_dir():
        raise UnwritableOutput(f"{path} is no directory: make it, or name another one")
    if not os.access(path, os.W_OK | os.X_OK):
        raise UnwritableOutput(f"{path} may not be written into: name another directory")


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
