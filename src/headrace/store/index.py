"""The index: an LMDB environment of few small tables, and one write transaction as an object.

LMDB is used without syncing: it survives the death of any process at any point, but not of the
operating system (`opening.py` notices that). Which rows follow from what is decided elsewhere.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import lmdb
import msgspec

from headrace.store.errors import IndexDamaged, StoreError, StoreFull
from headrace.store.shared_memory import SharedState

TABLES = (
    "records",  # key hash + variant digest -> StoredResponse
    "vary",  # key hash -> names that select variants
    "slices",  # slice key -> SliceRow
    "bodies",  # place (8) + piece (1) -> a piece of a small body (small_bodies.py)
    "queues",  # queue (1) + position (8) -> size (8) + slice key
    "ghost",  # position (8) -> ghost name (8) + size (8)
    "ghost_names",  # ghost name (8) -> position (8)
    "rules",  # generation (8) -> PurgeRule
    "superseded",  # version -> when (8, float): its slices wait for the sweep
    "meta",  # b"totals", b"rebuild"
)

MIN_MARGIN_BYTES = 4 * 1024 * 1024
"""More than any one transaction of ours touches; below this the index takes nothing new."""

GROWTH_BYTES = 16 * 1024 * 1024
_MAX_READERS = 1022
_INDEX_PAGE_BYTES = 4096
_READ_AHEAD_BYTES = 128 * 1024
"""Asked for more at once, Linux reads no more than this of it."""


@dataclass(slots=True)
class Totals:
    """Numbers kept with the rows they describe, in one row. All grow only, but the byte counts."""

    position: int = 0
    small_bytes: int = 0
    main_bytes: int = 0
    ghost_position: int = 0
    ghost_bytes: int = 0
    generation: int = 0
    horizon: int = 0  # rules up to this generation have been carried out and forgotten
    insertions: int = 0
    evictions: int = 0
    evicted_bytes: int = 0
    purged: int = 0
    refused: int = 0
    corrupt: int = 0
    missing: int = 0
    orphans: int = 0
    inline_bytes: int = 0  # of the bytes in the queues, those of bodies in the index
    layout: int = 0  # of rows with heads (ready_rows.py): a release without them does not start

    @property
    def used_bytes(self) -> int:
        """The bytes that all slices take."""
        return self.small_bytes + self.main_bytes


_values_of = attrgetter(*(field.name for field in fields(Totals)))
_TOTALS = struct.Struct(f"<{len(fields(Totals))}Q")


def totals_from(packed: bytes | None) -> Totals:
    """Return the totals row, or those of an empty index.

    An older version's row has fewer numbers: the others are 0. Raises struct.error.
    """
    if not packed:
        return Totals()
    if len(packed) in (_TOTALS.size - 16, _TOTALS.size - 8):  # before bodies, heads were kept here
        packed = packed.ljust(_TOTALS.size, b"\0")
    return Totals(*_TOTALS.unpack(packed))


class Index:
    """The open environment. `read` and `write` give transactions."""

    def __init__(self, path: Path, map_bytes: int, state: SharedState) -> None:
        """Open or make the index. Raises lmdb.Error (not an index, or damaged) or OSError."""
        self._state = state
        # LMDB would make the directory with its files' mode, and only root could enter it.
        path.mkdir(mode=0o700, exist_ok=True)
        if path.stat().st_mode & 0o700 != 0o700:
            path.chmod(0o700)
        self.env = lmdb.open(
            os.fspath(path),
            map_size=map_bytes,
            max_dbs=len(TABLES),
            max_readers=_MAX_READERS,
            sync=False,
            writemap=True,
            readahead=False,
            mode=0o600,
        )
        self._data_fd = os.open(path / "data.mdb", os.O_RDWR | os.O_CLOEXEC)
        self._path = path
        self._map_bytes = map_bytes
        self._reserved_bytes = 0
        try:
            self.env.reader_check()  # killed processes leave their reader slots behind
            self._reserve()
            self._open_tables()
        except (lmdb.Error, StoreFull):
            self.close()
            raise

    def _open_tables(self) -> None:
        tables: dict[str, Any] = {name: self.env.open_db(name.encode()) for name in TABLES}
        self._tables = tuple(tables.values())
        self.records = tables["records"]
        self.vary = tables["vary"]
        self.slices = tables["slices"]
        self.bodies = tables["bodies"]
        self.queues = tables["queues"]
        self.ghost = tables["ghost"]
        self.ghost_names = tables["ghost_names"]
        self.rules = tables["rules"]
        self.superseded = tables["superseded"]
        self.meta = tables["meta"]

    def read(self) -> Any:
        """Begin a read transaction (a context manager). About 1 µs."""
        return self.env.begin(buffers=True)

    @contextmanager
    def write(self) -> Iterator[Change]:
        """Begin the only write transaction of the moment; an exception inside undoes it.

        Raises StoreFull without having changed anything, IndexDamaged, or StoreError when LMDB
        fails otherwise.
        """
        try:
            with self.env.begin(write=True) as transaction:
                self._reserve()
                change = Change(self, transaction)
                yield change
                change.put_totals()
        except lmdb.MapFullError as error:
            self._state.count_full()
            raise StoreFull(
                "the index's map is full: raise map_bytes, or lower the store's size"
            ) from error
        except lmdb.DiskError as error:
            self._state.count_io_error()
            raise StoreFull(f"the index cannot be written: {error}") from error
        except READ_ERRORS as error:
            raise damaged(error) from error

    def _reserve(self) -> None:
        """Give the sparse map real disk ahead of use: a lack of room there would be a SIGBUS.

        Raises StoreFull.
        """
        used = self.reached_bytes()
        wanted = min(used + 2 * MIN_MARGIN_BYTES, self._map_bytes)
        if wanted <= self._reserved_bytes:
            return
        target = min(used + 2 * MIN_MARGIN_BYTES + GROWTH_BYTES, self._map_bytes)
        try:
            os.posix_fallocate(self._data_fd, 0, target)
        except OSError as error:
            if used + MIN_MARGIN_BYTES <= self._reserved_bytes:
                return
            self._state.count_full()
            raise StoreFull(
                f"the index {self._path} needs {-(-target // 1024**2)} MiB on disk: "
                f"{error.strerror}; free some, or give the store a larger disk"
            ) from error
        self._reserved_bytes = target

    def occupied_bytes(self, transaction: Any) -> int:
        """Return the bytes of the rows' pages, without what is free inside the file, and without
        those of bodies. 10 µs.
        """
        return sum(
            _page_bytes(transaction, table) for table in self._tables if table is not self.bodies
        )

    def body_page_bytes(self, transaction: Any) -> int:
        """Return the bytes of the pages that small bodies lie in. 1 µs."""
        return _page_bytes(transaction, self.bodies)

    def reached_bytes(self) -> int:
        """Return how far the file was ever used; it does not shrink. 1 µs."""
        return int((self.env.info()["last_pgno"] + 1) * _INDEX_PAGE_BYTES)

    def bring_in(self, start: int, end: int) -> None:
        """Have the kernel read what it does not have in memory of the file from `start` to `end`,
        in bytes. Waits for the disk to take the requests. Raises OSError.
        """
        for at in range(start, end, _READ_AHEAD_BYTES):
            size_bytes = min(_READ_AHEAD_BYTES, end - at)
            os.posix_fadvise(self._data_fd, at, size_bytes, os.POSIX_FADV_WILLNEED)

    def totals(self) -> Totals:
        """Return the totals as of the last commit."""
        with self.read() as transaction:
            return totals_from(bytes(transaction.get(b"totals", b"", self.meta)))

    def entries(self, table: Any) -> int:
        """Return how many rows a table has. Constant time."""
        with self.read() as transaction:
            return self.rows_in(table, transaction)

    @staticmethod
    def rows_in(table: Any, transaction: Any) -> int:
        """Return how many rows a table has, as a transaction sees it. 1 µs."""
        return int(transaction.stat(table)["entries"])

    def close(self) -> None:
        """Close the environment."""
        os.close(self._data_fd)
        self.env.close()


def _page_bytes(transaction: Any, table: Any) -> int:
    found = transaction.stat(table)
    pages = found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]
    return int(pages) * _INDEX_PAGE_BYTES


READ_ERRORS = (lmdb.Error, msgspec.DecodeError, struct.error)
"""What reading a damaged index raises."""


_NOT_DAMAGE = (
    lmdb.MemoryError,
    lmdb.ReadersFullError,
    lmdb.TlsFullError,
    lmdb.LockError,
    lmdb.MapResizedError,
)
"""Of READ_ERRORS, those that say nothing of what is in the index."""


def damaged(error: Exception) -> StoreError:
    """Return the StoreError that says what one of READ_ERRORS means."""
    if isinstance(error, _NOT_DAMAGE):
        return StoreError(f"the index failed ({error}): restart the edge if that lasts")
    return IndexDamaged(
        f"the index is damaged ({error}): restart the edge, which then rebuilds it from the files"
    )


class Change:
    """One write transaction, with the totals it changes."""

    __slots__ = ("index", "totals", "transaction")

    def __init__(self, index: Index, transaction: Any) -> None:
        self.index = index
        self.transaction = transaction
        self.totals = totals_from(self.get(index.meta, b"totals"))

    def get(self, table: Any, key: bytes) -> bytes | None:
        """Return a row as this transaction sees it, or None."""
        value: bytes | None = self.transaction.get(key, None, table)
        return value

    def put(self, table: Any, key: bytes, value: bytes) -> None:
        """Insert or replace a row."""
        self.transaction.put(key, value, db=table)

    def append(self, table: Any, key: bytes, value: bytes) -> None:
        """Insert a row behind all others: pages are filled to their end."""
        self.transaction.put(key, value, db=table, append=True)

    def remove(self, table: Any, key: bytes) -> bool:
        """Remove a row; False when there was none."""
        removed: bool = self.transaction.delete(key, b"", table)
        return removed

    def first_from(self, table: Any, key: bytes) -> tuple[bytes, bytes] | None:
        """Return the first row whose key is not below `key`."""
        with self.transaction.cursor(table) as cursor:
            return cursor.item() if cursor.set_range(key) else None

    def keys_with_prefix(self, table: Any, prefix: bytes, limit: int) -> list[bytes]:
        """Return up to `limit` keys that begin with `prefix`, ascending."""
        found: list[bytes] = []
        with self.transaction.cursor(table) as cursor:
            more = cursor.set_range(prefix)
            while more and len(found) < limit:
                key = cursor.key()
                if not key.startswith(prefix):
                    break
                found.append(key)
                more = cursor.next()
        return found

    def put_totals(self) -> None:
        """Write the totals as they are now in this object."""
        self.put(self.index.meta, b"totals", _TOTALS.pack(*_values_of(self.totals)))
