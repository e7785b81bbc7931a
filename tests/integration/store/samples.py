"""Responses whose bodies can be verified by anyone: the head holds the body's hash."""

from __future__ import annotations

import hashlib
import mmap
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

from headrace.cache.record import StoredResponse
from headrace.store import Part, SmallBody, Store, StoreSettings

SLICE_BYTES = 64 * 1024
SMALL_BYTES = 16 * 1024
MIB = 1024 * 1024
CAPACITY_BYTES = 4 * MIB


def open_store(path: Path, size_bytes: int = CAPACITY_BYTES, map_bytes: int = 64 * MIB) -> Store:
    return Store.open(path, StoreSettings(size_bytes, SLICE_BYTES, True, map_bytes, SMALL_BYTES))


def a_response(key: bytes, body: bytes, generation: int = 0) -> StoredResponse:
    """A new representation of `key`."""
    slices = [body[at : at + SLICE_BYTES] for at in range(0, max(len(body), 1), SLICE_BYTES)]
    return StoredResponse(
        key=key,
        variant=b"",
        vary=(),
        status=200,
        headers=tuple((b"x-slice", hashlib.sha256(piece).digest()) for piece in slices),
        response_time=time.time(),
        corrected_age_s=0.0,
        lifetime_s=60.0,
        stale_while_revalidate_s=0.0,
        stale_if_error_s=0.0,
        flags=0,
        length=len(body),
        slice_bytes=SLICE_BYTES,
        version=os.urandom(16),
        generation=generation,
        tags=(),
    )


def slice_of(body: bytes, n: int) -> bytes:
    return body[n * SLICE_BYTES : (n + 1) * SLICE_BYTES]


def fill_slice(store: Store, stored: StoredResponse, n: int, piece: bytes) -> bool:
    """Fill one slice in several writes; False when somebody else has it or a purge came."""
    part = store.begin_part(stored.version, n)
    if not isinstance(part, Part):
        return False
    try:
        part.set_head(stored)
        step = max(len(piece) // 4, 1)
        for at in range(0, len(piece), step):
            part.write(piece[at : at + step], at)
            part.publish(min(at + step, len(piece)))
        return part.finish(stored, len(piece))
    except OSError:
        part.fail(b"disk")
        raise
    finally:
        part.close()


def verify(store: Store, stored: StoredResponse, n: int) -> bool:
    """Whether the slice is there; fails when it is not what was stored."""
    held = hold(store, stored, n)
    if held is not None:
        held.verify()
    return held is not None


@dataclass(frozen=True)
class Held:
    """A slice that is read for long: what is left of it may be its mapping alone."""

    view: memoryview
    digest: bytes

    def verify(self) -> None:
        """Fail when it is not what was stored."""
        assert hashlib.sha256(self.view).digest() == self.digest


def hold(store: Store, stored: StoredResponse, n: int) -> Held | None:
    """Open a slice and map it, as the edge does; None when it is not there."""
    opened = store.open_slice(stored, n)
    if opened is None:
        return None
    if isinstance(opened, SmallBody):
        return Held(memoryview(opened.body), stored.headers[n][1])
    end = opened.offset + opened.length
    try:
        mapping = mmap.mmap(opened.fd, end, prot=mmap.PROT_READ)
    finally:
        os.close(opened.fd)
    return Held(memoryview(mapping)[opened.offset : end], stored.headers[n][1])


def everything_verifies(store: Store) -> int:
    """Verify all that the store would serve; how many slices that was."""
    count = 0
    cursor: bytes | None = b""
    while cursor is not None:
        page, cursor = store.list(b"", 100, cursor)
        for stored in page:
            count += sum(verify(store, stored, n) for n in store.slices(stored))
    return count


def random_body(chance: random.Random) -> bytes:
    """Half of them are small enough for the index."""
    most = chance.choice((SMALL_BYTES, 3 * SLICE_BYTES))
    return chance.randbytes(chance.randrange(0, most))
