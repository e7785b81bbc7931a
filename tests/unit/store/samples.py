"""Records and fills for the store's tests."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from headrace.cache.record import StoredResponse
from headrace.store import Part, SmallBody, Store, StoreSettings
from headrace.store.layout import digest
from headrace.store.maintenance import rebuild, sweep
from headrace.store.maintenance.orphans import OrphanSweep

KEY = b"films\nexample.org/a.mp4"
MIB = 1024 * 1024
SLICE_BYTES = 64 * 1024


def version_of(name: str) -> bytes:
    """A version that is the same in every run."""
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def a_record(key: bytes = KEY, version: str = "one", **changes: Any) -> StoredResponse:
    """A stored response of 5 bytes, fetched at 1000, before any purge."""
    stored = StoredResponse(
        key=key,
        variant=b"",
        vary=(),
        status=200,
        headers=((b"content-type", b"video/mp4"),),
        response_time=1000.0,
        corrected_age_s=0.0,
        lifetime_s=60.0,
        stale_while_revalidate_s=0.0,
        stale_if_error_s=0.0,
        flags=0,
        length=5,
        slice_bytes=SLICE_BYTES,
        version=version_of(version),
        generation=0,
        tags=(),
    )
    return msgspec.structs.replace(stored, **changes)


def fill(store: Store, stored: StoredResponse, body: bytes = b"hello", n: int = 0) -> bool:
    """Fill one slice from beginning to end, as the edge does."""
    part = store.begin_part(stored.version, n)
    assert isinstance(part, Part)
    try:
        part.set_head(stored)
        part.write(body, 0)
        part.publish(len(body))
        return part.finish(stored, len(body))
    finally:
        part.close()


def find(store: Store, stored: StoredResponse) -> StoredResponse | None:
    """Look a record up by its own key and variant."""
    return store.lookup(digest(stored.key), stored.variant)


def body_of(store: Store, stored: StoredResponse, n: int = 0) -> bytes | None:
    """A slice's bytes, or None."""
    opened = store.open_slice(stored, n)
    if opened is None:
        return None
    if isinstance(opened, SmallBody):
        return opened.body
    try:
        return os.pread(opened.fd, opened.length, opened.offset)
    finally:
        os.close(opened.fd)


@contextmanager
def a_store(
    path: Path,
    size_bytes: int = MIB,
    clock: Callable[[], float] = time.time,
    **settings: Any,
) -> Iterator[Store]:
    """Open a store with a small map."""
    settings = {"map_bytes": 64 * MIB, "slice_bytes": SLICE_BYTES, **settings}
    store = Store.open(path, StoreSettings(size_bytes=size_bytes, **settings), clock=clock)
    try:
        yield store
    finally:
        store.close()


def swept(store: Store, limit: int = 100, keep_s: float = sweep.KEEP_S) -> None:
    """Sweep to the end."""
    while sweep.step(store, limit, now=time.time(), keep_s=keep_s):
        pass


def orphans_swept(store: Store) -> None:
    """Check all directories for orphans."""
    orphans = OrphanSweep(store)
    while orphans.step(100):
        pass


def rebuilt(store: Store) -> None:
    """Rebuild the index to the end."""
    while rebuild.step(store, 100):
        pass


def slice_files(path: Path) -> list[Path]:
    """Every finished file under a store's directory."""
    return sorted(file for file in (path / "objects").rglob("*") if file.is_file())
