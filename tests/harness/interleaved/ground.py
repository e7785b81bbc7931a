"""What the scenes of a test stand on: one store directory and compiled configurations, used again
and again because opening a store takes longer than a whole scene.

All workers of a scene are in one process, where LMDB lets a directory be opened once only: they
share the open index and its shared memory, and have everything else of a store of their own.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.cache.key import without_scheme
from headrace.cache.record import StoredResponse
from headrace.config import Config
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.service.resource import Resources
from headrace.edge.service.services import Services, compile_services
from headrace.http.message import Headers
from headrace.http.parser import RequestHead
from headrace.store import Claim, Store, StoreError, StoreFull, StoreSettings, locks
from headrace.store.index import Totals
from headrace.store.layout import JOURNAL, RECORD_ONLY, in_pages, slice_file
from headrace.store.part import Busy, Part
from headrace.store.rows import SliceRow
from headrace.store.transaction import Transaction
from headrace.store.whole import VariantOf, Whole
from tests.harness.interleaved.origin import SLICE_BYTES

ORIGIN = "origin.test"


class Trouble:
    """How the disk and the index are: well, "full", "failing" (EIO), or "broken" (cannot be read
    either)."""

    def __init__(self) -> None:
        self.kind = ""

    def check_disk(self) -> None:
        """Raises OSError."""
        if self.kind:
            code = errno.ENOSPC if self.kind == "full" else errno.EIO
            raise OSError(code, os.strerror(code))

    def check_index(self, *, reads: bool) -> None:
        """Raises StoreError."""
        if self.kind == "full" and not reads:
            raise StoreFull("the index is full")
        if self.kind == "broken" or (self.kind and not reads):
            raise StoreError("the index failed")


class PlayedStore(Store):
    """A worker's store, which fails when the scene says so.

    Before each operation `before` is called: there another process may do something, in the middle
    of this worker's turn.
    """

    trouble: Trouble
    before: Callable[[], None] = staticmethod(lambda: None)

    def vary_of(self, key_hash: bytes) -> tuple[bytes, ...] | None:
        self.before()
        self.trouble.check_index(reads=True)
        return super().vary_of(key_hash)

    def lookup(self, key_hash: bytes, variant: bytes) -> StoredResponse | None:
        self.before()
        self.trouble.check_index(reads=True)
        return super().lookup(key_hash, variant)

    def whole(self, key_hash: bytes, variant_of: VariantOf) -> Whole | None:
        self.before()
        self.trouble.check_index(reads=True)
        return super().whole(key_hash, variant_of)

    def has_slice(self, version: bytes, n: int) -> bool:
        self.before()
        self.trouble.check_index(reads=True)
        return super().has_slice(version, n)

    def slices(self, stored: StoredResponse) -> list[int]:
        self.before()
        self.trouble.check_index(reads=True)
        return super().slices(stored)

    def permit(self, name: bytes) -> Claim | None:
        self.before()
        return super().permit(name)

    def begin_part(self, name: bytes, n: int, claim: Claim | None = None) -> Part | Busy:
        self.before()
        self.trouble.check_disk()
        return super().begin_part(name, n, claim)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self.before()
        self.trouble.check_index(reads=False)
        with super().transaction() as transaction:
            yield transaction

    def close(self) -> None:
        """Index and shared memory stay open: they are the ground's. The others are its own."""
        self.spares.close()
        self._permits.close()


def configured(path: Path, cache: dict[str, Any], **limits: Any) -> Config:
    """Return a configuration of one service."""
    document: dict[str, Any] = {
        "cache_dir": str(path),
        "listen": [{"address": "127.0.0.1:1"}],
        "store": {"size": "64MiB", "slice": SLICE_BYTES, "checksum": "off"},
        "service": [{"name": "s", "hosts": ["*"], "origins": [f"http://{ORIGIN}"], "cache": cache}],
    }
    document.update(limits)
    return validate_document(document, EDGE, str, base=Path("/"))


class Ground:
    """A directory and what is read once for all scenes on it."""

    def __init__(self, path: Path, *, inline_bytes: int = 0, **tables: Any) -> None:
        """`inline_bytes`: up to so many bytes a body is kept in the index."""
        self.path = path
        self.config = configured(path, tables.pop("cache", {}), **tables)
        self.services: Services = compile_services(self.config)
        options = self.config.store
        self.settings = StoreSettings(
            options.size_bytes, options.slice_bytes, inline_bytes=inline_bytes
        )
        self.opened = Store.open(path, self.settings)

    def store(self, trouble: Trouble) -> PlayedStore:
        """Return a store for one more worker."""
        opened = self.opened
        store = PlayedStore(self.path, self.settings, opened.index, opened.state, opened._clock)
        store.trouble = trouble
        return store

    def clear(self) -> None:
        """Forget all that is stored."""
        store = self.opened
        with store.index.write() as change:
            for table in store.index._tables:
                change.transaction.drop(table, delete=False)
            change.totals = Totals(generation=store.state.generation())
        for directory in os.listdir(store.objects):
            shutil.rmtree(f"{store.objects}/{directory}")
        for name in os.listdir(store.parts):
            (store.parts / name).unlink()
        (self.path / JOURNAL).unlink(missing_ok=True)

    def problem(self) -> str:
        """Return in what index and files do not agree; "" when they do."""
        store = self.opened
        with store.index.read() as transaction, transaction.cursor(store.index.slices) as cursor:
            rows = {bytes(key): SliceRow.unpacked(packed) for key, packed in cursor}
        alone = RECORD_ONLY.to_bytes(4, "big")
        indexed = {
            slice_file(key): row.file_bytes
            for key, row in rows.items()
            if key[-4:] != alone and not row.place
        }
        there = {
            f"{directory}/{name}": in_pages(os.stat(f"{store.objects}/{directory}/{name}").st_size)
            for directory in os.listdir(store.objects)
            for name in os.listdir(f"{store.objects}/{directory}")
        }
        if indexed != there:
            return f"the index has {sorted(indexed.items())}, the disk {sorted(there.items())}"
        used_bytes = store.stats()["bytes"]
        sum_bytes = sum(row.file_bytes for row in rows.values())
        if used_bytes != sum_bytes:
            return f"{used_bytes} bytes are counted, {sum_bytes} indexed"
        return ""

    def parts_left(self, *, any_holder: bool) -> list[str]:
        """Return the parts that are left on disk; with `any_holder` also those without one."""
        left = []
        for name in os.listdir(self.opened.parts):
            fd = os.open(self.opened.parts / name, os.O_RDWR)
            try:
                if any_holder or locks.is_locked(fd):
                    left.append(name)
            finally:
                os.close(fd)
        return left

    def key_of(self, path: str) -> bytes:
        """Return what a purge by URL names this path with."""
        head = RequestHead(b"GET", path.encode(), (1, 1), Headers(()), b"h", 0, True, True)
        return without_scheme(Resources(self.services).find(head, tls=False).key)

    def close(self) -> None:
        """Close the store."""
        self.opened.close()


@contextmanager
def disk_of(trouble: Trouble) -> Iterator[None]:
    """Let writes to files fail while the block runs, when the scene says so."""
    write, allocate = os.pwrite, os.posix_fallocate

    def failing_write(fd: int, data: Any, at: int) -> int:
        trouble.check_disk()
        return write(fd, data, at)

    def failing_allocate(fd: int, at: int, size: int) -> None:
        trouble.check_disk()
        allocate(fd, at, size)

    os.pwrite, os.posix_fallocate = failing_write, failing_allocate
    try:
        yield
    finally:
        os.pwrite, os.posix_fallocate = write, allocate
