"""Whether files are still those that were read: by what `stat` says of them, at no cost."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Signature = tuple[int, int, int, int]
"""Device, inode, size and time of change (ns)."""

Signatures = dict[str, Signature | None]
"""By path; None for a file that cannot be found."""

MOST_FILES = 10_000


def signature_of(path: str | Path) -> Signature | None:
    """Return what tells a file from what was there before."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def signatures_of(paths: Iterable[str | Path]) -> Signatures:
    """Return the same of several files."""
    return {str(path): signature_of(path) for path in paths}


def files_of(description: Path) -> list[Path]:
    """Return the files that a description consists of: itself, and those of prefixes it names.

    One that cannot be read names none.
    """
    found = [description]
    try:
        document = tomllib.loads(description.read_bytes().decode("utf-8"))
    except (OSError, ValueError):
        return found
    base = description.absolute().parent
    for key in ("network", "coverage"):
        tables: Any = document.get(key)
        for table in tables if isinstance(tables, list) else []:
            name = table.get("prefix_file") if isinstance(table, dict) else None
            if isinstance(name, str) and "\0" not in name and len(found) < MOST_FILES:
                found.append(base / name)
    return list(dict.fromkeys(found))
