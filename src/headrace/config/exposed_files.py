"""Files with secrets that a configuration names, and that every user of the machine can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

SECRET: Final = frozenset(
    (
        "secret_file",
        "observers_secret_file",
        "token_file",
        "report_token_file",
        "cookie_secret_file",
        "ticket_secret_file",
        "key",
    )
)
"""The names of the settings that are files with secrets: keys of certificates are among them."""
OTHERS = stat.S_IROTH | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class ExposedFile:
    """A file, and its mode."""

    path: Path
    mode: int

    def __str__(self) -> str:
        """Return what is wrong, and what to do."""
        return (
            f"{self.path} is open to every user of this machine (mode {self.mode:04o}): run "
            f"`chmod o-rwx {self.path}`, and replace what is in it if others use the machine"
        )


def exposed_files(config: BaseModel) -> list[ExposedFile]:
    """Return those of the files that exist, each once."""
    found = {}
    for path in _secret_files(config):
        exposed = exposure(path)
        if exposed is not None:
            found[path] = exposed
    return list(found.values())


def exposure(path: Path) -> ExposedFile | None:
    """Return a file if every user can read it; None otherwise, or where there is none."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return None  # whoever reads it says so
    return ExposedFile(path, mode) if mode & OTHERS else None


def _secret_files(value: object) -> Iterator[Path]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            below = getattr(value, name)
            if isinstance(below, Path) and name in SECRET:
                yield below
            else:
                yield from _secret_files(below)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _secret_files(one)
