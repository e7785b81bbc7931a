"""Checksums of bodies that lie in files."""

from __future__ import annotations

import os

import xxhash

HASH_CHUNK_BYTES = 1024 * 1024


def checksum_of(fd: int, offset: int, length: int) -> int:
    """Return the checksum of a body on disk. Raises OSError when it ends early."""
    running = xxhash.xxh3_64()
    chunk = memoryview(bytearray(min(HASH_CHUNK_BYTES, max(length, 1))))
    at = offset
    end = offset + length
    while at < end:
        read = os.preadv(fd, [chunk[: end - at]], at)
        if not read:
            raise OSError(f"a body of {length} bytes ends at {at - offset}")
        running.update(chunk[:read])
        at += read
    return running.intdigest()
