"""Files that nobody knows: left by a process that died between renaming and indexing, or between
forgetting and unlinking; and parts whose holder died.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headrace.store import locks
from headrace.store.files import NOT_A_FILE, open_file, remove
from headrace.store.layout import DIRECTORIES, REBUILD, directory_name, slice_key_of_file

if TYPE_CHECKING:
    from headrace.store.store import Store


def sweep(store: Store, limit: int) -> bool:
    """One step (see Store.sweep_orphans): whole directories until `limit` files are looked at."""
    index = store.index
    with index.read() as transaction:
        if transaction.get(REBUILD, None, index.meta) is not None:
            return False  # what is not indexed yet is no orphan
    if store.orphan_directory == 0:
        _sweep_parts(store)
    seen = 0
    while seen < limit:
        directory = f"{store.objects}/{directory_name(store.orphan_directory)}"
        seen += 1 + _sweep_directory(store, directory)
        store.orphan_directory = (store.orphan_directory + 1) % DIRECTORIES
        if store.orphan_directory == 0:
            return False
    return True


def _sweep_directory(store: Store, directory: str) -> int:
    """Returns how many files the directory had."""
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
            or transaction.get(key, None, index.slices) is None
        ]
    if unknown:
        # Files are linked inside write transactions: what has no entry here has nobody.
        with index.write() as change:
            for name in unknown:
                key = slice_key_of_file(name)
                if key is None or change.get(index.slices, key) is None:
                    remove(f"{directory}/{name}")
                    change.totals.orphans += 1
    return len(names)


def _sweep_parts(store: Store) -> None:
    for name in os.listdir(store.parts):
        path = store.parts / name
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
