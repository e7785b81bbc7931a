"""Build the index again from the files' own headers, after a crash of the operating system.

Every file is verified by its checksum before it is indexed, for nothing was synced when it was
written. What has been indexed is served meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from headrace.cache.key import key_hash
from headrace.cache.record import StoredResponse
from headrace.store import header, locks
from headrace.store.checksums import checksum_of
from headrace.store.files import open_file, remove
from headrace.store.layout import (
    DIRECTORIES,
    REBUILD,
    SWEEP_LOCK,
    directory_name,
    in_pages,
    record_key,
    slice_key_of_file,
)
from headrace.store.purge_rules import PurgeEffect
from headrace.store.rows import SliceRow
from headrace.store.slice_reader import read_meta
from headrace.store.store import Store
from headrace.store.transaction import Transaction, invalidated


def step(store: Store, limit: int) -> bool:
    """Index whole directories until `limit` files are seen; True while there is more.

    One process at a time does this; for others it is False at once. Reads whole files to verify
    them: not on the event loop. Raises StoreError or OSError.
    """
    fd = locks.open_lock_file(store.path / SWEEP_LOCK)
    try:
        return locks.try_lock(fd) and _step(store, limit)
    finally:
        os.close(fd)


def _step(store: Store, limit: int) -> bool:
    index = store.index
    with index.read() as transaction:
        row = transaction.get(REBUILD, None, index.meta)
        if row is None:
            return False
        number = int.from_bytes(bytes(row), "big")
    seen = 0
    while number < DIRECTORIES and seen < limit:
        directory = Path(store.objects, directory_name(number))
        if directory.is_dir():
            for path in directory.iterdir():
                seen += 1
                _restore(store, path)
        number += 1
        seen += 1
    with index.write() as change:
        if number >= DIRECTORIES:
            change.remove(index.meta, REBUILD)
        else:
            change.put(index.meta, REBUILD, number.to_bytes(8, "big"))
    return number < DIRECTORIES


def _restore(store: Store, path: Path) -> None:
    """Index one file, or unlink it when it is damaged, purged or replaced."""
    key = slice_key_of_file(path.name)
    if key is not None:
        with store.index.read() as transaction:
            if transaction.get(key, None, store.index.slices) is not None:
                return  # filled since the start
    try:
        found = _verified(path, key) if key is not None else None
    except FileNotFoundError:
        return
    except OSError:  # a link, a pipe, a block that cannot be read: of no use here
        found = None
    with store.transaction() as transaction:
        if key is not None and transaction.change.get(store.index.slices, key) is not None:
            return
        if found is None:
            transaction.change.totals.corrupt += 1
        elif key is not None and _admit(store, transaction, key, *found):
            return
        remove(path)


def _verified(path: Path, key: bytes) -> tuple[StoredResponse, header.Control] | None:
    """Return the record and control block of a sound file. Raises OSError (not there, EIO)."""
    fd = open_file(path, os.O_RDONLY)
    try:
        found = header.unpack_control(os.pread(fd, header.CONTROL_BYTES, 0))
        if found is None or not found[1]:
            return None
        control = found[0]
        size_bytes = control.header_bytes + control.body_bytes
        if control.n != int.from_bytes(key[-4:], "big") or os.fstat(fd).st_size != size_bytes:
            return None
        stored = read_meta(fd, control)
        if stored is None or stored.version != key[:-4]:
            return None
        if checksum_of(fd, control.header_bytes, control.body_bytes) != control.body_checksum:
            return None
        return stored, control
    finally:
        os.close(fd)


def _admit(
    store: Store,
    transaction: Transaction,
    key: bytes,
    stored: StoredResponse,
    control: header.Control,
) -> bool:
    totals = transaction.change.totals
    if stored.generation > totals.generation:
        # Purges that were not durable are lost with the index, but numbers are not used twice.
        totals.generation = stored.generation
        store.state.set_generation(stored.generation)
    effect = store.rules.within(transaction.change).effect(stored)
    if effect is PurgeEffect.HARD:
        return False
    if effect is PurgeEffect.SOFT:
        stored = invalidated(stored)
    hashed = key_hash(stored.key)
    owner = record_key(hashed, stored.variant)
    known = transaction.existing(owner)
    other = known is not None and known.version != stored.version
    if known is not None and other and known.response_time >= stored.response_time:
        return False
    file_bytes = in_pages(control.header_bytes + control.body_bytes)
    if file_bytes > store.settings.size_bytes // 2 or not transaction.make_room(file_bytes):
        return False
    transaction.put_slice(key, SliceRow(file_bytes, control.body_bytes, owner))
    complete = _with_length(stored, control)
    if complete is not None and (known is None or other):
        transaction.put_record(complete, hashed)
    return True


def _with_length(stored: StoredResponse, control: header.Control) -> StoredResponse | None:
    """Return the record with its length; None for a slice that ended before it was known."""
    if stored.length >= 0:
        return stored
    if control.total_bytes < 0:
        return None
    return msgspec.structs.replace(stored, length=control.total_bytes)
