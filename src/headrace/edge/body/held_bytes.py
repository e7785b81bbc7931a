"""What a worker holds on the cache's disk that the index does not count.

A deleted file keeps its blocks for as long as somebody is sent it, and a part has its blocks
before it is a slice. Both are told to all processes, and the store keeps so much less
(`Store.room_bytes`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from headrace.edge.body.growing_slice import LIVE_SLICES
from headrace.edge.body.open_files import LIVE_BODIES

BLOCK_BYTES = 512


def held_bytes() -> int:
    """Return the blocks of this process's parts and deleted files, each file once. 1 µs for each
    open. Bodies that are kept (`OpenBodies`) are released as soon as their files are deleted.
    """
    blocks: dict[int, int] = {}
    for fd, counted in _descriptors():
        with suppress(OSError):
            found = os.fstat(fd)
            if not counted or not found.st_nlink:
                blocks[found.st_ino] = found.st_blocks
    return sum(blocks.values()) * BLOCK_BYTES


def _descriptors() -> Iterator[tuple[int, bool]]:
    """Open files, and whether the index counts them for as long as they have a name."""
    for body in list(LIVE_BODIES):
        if body.fd >= 0 and not body.kept:
            yield body.fd, True
    for growing in list(LIVE_SLICES):
        if (fd := growing.fd) >= 0:
            yield fd, growing.is_counted()
