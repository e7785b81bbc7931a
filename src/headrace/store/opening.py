"""How a store is opened: directories, the mark, and whether the index can be believed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import lmdb
import msgspec

from headrace.store import locks, purge_journal
from headrace.store.directory_lock import Mark, boot_id, read_mark, write_mark
from headrace.store.errors import StoreError
from headrace.store.files import own_directory
from headrace.store.index import READ_ERRORS, Index
from headrace.store.layout import (
    FILLS,
    FORMAT,
    INDEX,
    JOURNAL,
    OBJECTS,
    OPEN_LOCK,
    PARTS,
    REBUILD,
    SPARES,
    STATE,
)
from headrace.store.refusals import Cause
from headrace.store.settings import StoreSettings
from headrace.store.shared_memory import SharedState, is_in_use


def open_index(path: Path, settings: StoreSettings, now: float) -> tuple[Index, SharedState]:
    """Open or make index and shared state. Raises StoreError or OSError."""
    for directory in (path, path / OBJECTS, path / PARTS, path / SPARES, path / FILLS):
        own_directory(directory)
    lock = locks.open_lock_file(path / OPEN_LOCK)
    try:
        locks.wait_lock(lock)
        return _open_locked(path, settings, now)
    finally:
        os.close(lock)


def _open_locked(path: Path, settings: StoreSettings, now: float) -> tuple[Index, SharedState]:
    mark = read_mark(path)
    boot = boot_id()
    if mark is not None and mark.boot_id != boot and not mark.clean:
        _set_aside(path)
    alone = not (path / STATE).exists() or not is_in_use(path / STATE)
    state = SharedState(path / STATE)
    state.claim_holder()
    known = state.refusal()
    if alone and known is not None and known.cause is Cause.INDEX_DAMAGED:
        _set_aside(path)
        state.set_refusal(None)
    index = _open_or_replace(path, settings, state)
    try:
        _agree(path, index, state)
    except (StoreError, *READ_ERRORS):  # its rows make no sense: begin again from the files
        index.close()
        _set_aside(path)
        index = _open_or_replace(path, settings, state)
        _agree(path, index, state)
    if mark is None or mark.boot_id != boot or mark.clean:
        write_mark(path, Mark(FORMAT, boot, clean=False, opened_at=now))
    return index, state


def _open_or_replace(path: Path, settings: StoreSettings, state: SharedState) -> Index:
    """Open the index, or replace a damaged one by an empty one; `_agree` marks it for rebuilding.

    Raises StoreError.
    """
    where = path / INDEX
    own_directory(where)
    try:
        return Index(where, settings.map_bytes, state)
    except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError):
        _set_aside(path)
    except lmdb.Error as error:
        raise StoreError(
            f"the index in {where} cannot be opened: {error}; all that is in it must belong to the "
            "user that runs headrace (`chown -R`)"
        ) from error
    own_directory(where)
    return Index(where, settings.map_bytes, state)


def _set_aside(path: Path) -> None:
    """Take the index away. No process of this boot may use its name any longer."""
    doubtful = path / f"{INDEX}.doubtful"
    shutil.rmtree(doubtful, ignore_errors=True)
    if (path / INDEX).exists():
        (path / INDEX).rename(doubtful)
        shutil.rmtree(doubtful, ignore_errors=True)


def _agree(path: Path, index: Index, state: SharedState) -> None:
    """Make a new index start from the purge journal, and the state from the index."""
    with index.write() as change:
        if change.get(index.meta, b"totals") is None:
            newest = 0
            for rule in purge_journal.read(path / JOURNAL):
                packed = msgspec.msgpack.encode(rule)
                change.put(index.rules, rule.generation.to_bytes(8, "big"), packed)
                newest = max(newest, rule.generation)
            change.totals.generation = newest
            if _has_files(path / OBJECTS):
                change.put(index.meta, REBUILD, (0).to_bytes(8, "big"))
        change.totals.generation = max(change.totals.generation, state.generation())
        state.set_generation(change.totals.generation)


def _has_files(objects: Path) -> bool:
    return any(True for directory in objects.iterdir() for _ in directory.iterdir())
