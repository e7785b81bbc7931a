"""A process whose disk is small: a tmpfs of its own where it may mount one, else a limit on the
size of its files. Fills the store until the disk refuses, then checks that all is well.

Arguments: a directory, `bodies` or `index` (what the disk is filled with). Prints `done`.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path

import msgspec

from headrace.store import Store, StoreFull
from headrace.store.layout import digest
from tests.integration.store.samples import (
    MIB,
    a_response,
    everything_verifies,
    fill_slice,
    open_store,
)

DISK_BYTES = 64 * MIB
CLONE_NEWNS = 0x00020000
MS_PRIVATE_RECURSIVE = (1 << 18) | (1 << 14)
_libc = ctypes.CDLL(None, use_errno=True)


def mount_small_disk(path: Path) -> bool:
    """Whether this process could get a tmpfs that only it sees."""
    if _libc.unshare(CLONE_NEWNS) != 0:
        return False
    if _libc.mount(b"none", b"/", None, MS_PRIVATE_RECURSIVE, None) != 0:
        return False
    options = f"size={DISK_BYTES},mode=0700".encode()
    return bool(_libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options) == 0)


def bodies_without_room(store: Store, *, limited: bool) -> None:
    kept = a_response(b"service\nhost/kept", b"kept")
    assert fill_slice(store, kept, 0, b"kept")
    size_bytes = 40 * MIB if limited else 3 * MIB
    refused = 0
    for number in range(12):
        stored = a_response(b"service\nhost/%d" % number, b"", 0)
        try:
            fill_slice(store, stored, 0, bytes(size_bytes))
        except OSError:
            refused += 1
    assert refused > 0, "the disk was not small enough"
    assert list(store.parts.iterdir()) == []
    found = store.lookup(digest(kept.key), b"")
    assert found == kept
    assert store.has_slice(kept.version, 0)
    page, _ = store.list(b"service\nhost/", 100)
    for stored in page:
        store.delete(stored)
    again = a_response(b"service\nhost/again", b"again")
    assert fill_slice(store, again, 0, b"again")
    assert everything_verifies(store) == 1


def index_without_room(store: Store) -> None:
    """The map is sparse: without care the kernel would kill us here."""
    filler = os.open(store.path / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(filler, bytes(MIB))
    except OSError:
        os.close(filler)
    refused = 0
    known = []
    for number in range(10_000):
        stored = msgspec.structs.replace(
            a_response(b"service\nhost/%d" % number, b""), headers=((b"x-long", bytes(20_000)),)
        )
        try:
            store.record(stored, digest(stored.key))
            known.append(stored)
        except StoreFull:
            refused += 1
            if refused > 3:
                break
    assert refused > 3, "the index never ran out of room"
    assert known
    assert all(store.lookup(digest(stored.key), b"") == stored for stored in known)
    assert store.stats()["index_full"] > 0
    (store.path / "filler").unlink()
    assert store.record(stored, digest(stored.key))


def main() -> None:
    path = Path(sys.argv[1])
    mounted = mount_small_disk(path)
    if not mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (32 * MIB, 32 * MIB))
    map_bytes = 1024 * MIB if mounted else 32 * MIB
    store = open_store(path, size_bytes=1024 * MIB, map_bytes=map_bytes)
    if sys.argv[2] == "bodies":
        bodies_without_room(store, limited=not mounted)
    else:
        index_without_room(store)
    store.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
