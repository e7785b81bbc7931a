"""What processes hold: descriptors, and deleted files whose room the disk cannot give back yet."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True)
class Held:
    """`files` are descriptors of files under the directory, `deleted_bytes` the blocks of those
    without a name, each file once. Connections are among `descriptors` only.
    """

    descriptors: int
    files: int
    deleted_files: int
    deleted_bytes: int


def held_by(pids: Iterable[int], directory: Path) -> Held:
    """What these processes hold now. A process that is gone holds nothing."""
    descriptors = files = 0
    deleted: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    target = os.readlink(entry)
                    descriptors += 1
                    if target.startswith(f"{directory}/"):
                        files += 1
                        found = entry.stat()
                        if not found.st_nlink:
                            deleted[found.st_ino] = found.st_blocks * BLOCK_BYTES
    return Held(descriptors, files, len(deleted), sum(deleted.values()))
