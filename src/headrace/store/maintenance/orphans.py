"""Remove files that the index does not know, and parts whose holder died.

A process leaves such files when it dies between renaming and indexing, or forgetting and unlinking.
"""

from __future__ import annotations

import os
from pathlib import Path

from headrace.store import locks
from headrace.store.files import NOT_A_FILE, open_file, remove
from headrace.store.layout import DIRECTORIES, REBUILD, SPARES, directory_name, slice_key_of_file
from headrace.store.rows import SliceRow
from headrace.store.store import Store


class OrphanSweep:
    """A walk over all directories of slices, some at a time, that begins again at its end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._directory = 0

    def step(self, limit: int) -> bool:
        """Check whole directories until `limit` files are seen; False when all have been checked.

        Raises StoreError or OSError.
        """
        store = self._store
        index = store.index
        with index.read() as transaction:
            if transaction.get(REBUILD, None, index.meta) is not None:
                return False  # what is not indexed yet is no orphan
        if self._directory == 0:
            _sweep_parts(store.parts)
            _sweep_parts(store.path / SPARES)
        seen = 0
        while seen < limit:
            directory = f"{store.objects}/{directory_name(self._directory)}"
            seen += 1 + _sweep_directory(store, directory)
            self._directory = (self._directory + 1) % DIRECTORIES
            if self._directory == 0:
                return False
        return True


def _sweep_directory(store: Store, directory: str) -> int:
    """Remove its unknown files; return how many files the directory had."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return 0
    index = store.index
    with index.read() as transaction:
        unknown = [
            name
            for name in names
            if (key := slice_key_of_file(name)) is None
            or not _has_file(transaction.get(key, None, index.slices))
        ]
    if unknown:
        # Files are linked inside write transactions: what has no entry here is an orphan.
        with index.write() as change:
            for name in unknown:
                key = slice_key_of_file(name)
                if key is None or not _has_file(change.get(index.slices, key)):
                    remove(f"{directory}/{name}")
                    change.totals.orphans += 1
    return len(names)


def _has_file(packed: bytes | memoryview | None) -> bool:
    """Return whether the index says of a slice that its body is a file."""
    row = SliceRow.read(packed) if packed is not None else None
    return packed is not None and (row is None or not row.place)


def _sweep_parts(directory: Path) -> None:
    """Remove what no living process has locked."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    for name in names:
        path = directory / name
        try:
            fd = open_file(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in NOT_A_FILE:
                raise
            remove(path)
            continue
        try:
            if locks.try_lock(fd) and locks.is_still(fd, path):
                remove(path)
        finally:
            os.close(fd)
