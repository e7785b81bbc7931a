"""A store that fails when it is told to, and can be interrupted before each of its operations."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from headrace.cache.record import StoredResponse
from headrace.store import Busy, Claim, Part, PurgeRule, Store, StoreSettings
from headrace.store.whole import VariantOf, Whole

SLICE = 64 * 1024
EPOCH_S = 1_800_000_000.0
"""When every dialogue begins, in seconds since 1970."""
STORE_BYTES = 1 << 30
MAP_BYTES = 64 * 1024 * 1024
_MEMORY = Path("/dev/shm")

OPERATIONS = frozenset(
    (
        "vary_of", "lookup", "whole", "open_slice", "has_slice", "slices", "begin_part", "record",
        "delete", "purge", "variants", "rules_since",
        "remove_corrupt", "set_head", "write", "publish", "finish", "permit", "store_together",
    )
)  # fmt: skip
"""What a store does: the words that `BreakableStore.before` gets, and `break_store` takes."""


class BreakableStore(Store):
    """A store that fails when it is told to, and that can be interrupted."""

    before: Callable[[str], None] = staticmethod(lambda _what: None)

    def _first(self, what: str) -> None:
        self.before(what)
        faults: dict[str, tuple[Exception, float]] = self.__dict__.setdefault("faults", {})
        error, left = faults.get(what, (None, 0.0))
        if error is not None:
            if left <= 1:
                del faults[what]
            else:
                faults[what] = (error, left - 1)
            raise type(error)(*error.args)  # one that is kept would keep the frames it passed

    def vary_of(self, key_hash: bytes) -> tuple[bytes, ...] | None:
        self._first("vary_of")
        return super().vary_of(key_hash)

    def lookup(self, key_hash: bytes, variant: bytes) -> StoredResponse | None:
        self._first("lookup")
        return super().lookup(key_hash, variant)

    def whole(self, key_hash: bytes, variant_of: VariantOf) -> Whole | None:
        self._first("whole")
        return super().whole(key_hash, variant_of)

    def open_slice(self, stored: StoredResponse, n: int) -> Any:
        self._first("open_slice")
        return super().open_slice(stored, n)

    def has_slice(self, version: bytes, n: int) -> bool:
        self._first("has_slice")
        return super().has_slice(version, n)

    def slices(self, stored: StoredResponse) -> list[int]:
        self._first("slices")
        return super().slices(stored)

    def begin_part(self, name: bytes, n: int, claim: Claim | None = None) -> Part | Busy:
        try:
            self._first("begin_part")
        except BaseException:
            if claim is not None:
                claim.give()
            raise
        part = super().begin_part(name, n, claim)
        if isinstance(part, Part):
            part.__class__ = _BreakablePart
        return part

    def permit(self, name: bytes) -> Claim | None:
        self._first("permit")
        return super().permit(name)

    def store_together(self, small: Sequence[tuple[StoredResponse, bytes]]) -> list[bool]:
        self._first("store_together")
        return super().store_together(small)

    def record(self, stored: StoredResponse, key_hash: bytes) -> bool:
        self._first("record")
        return super().record(stored, key_hash)

    def delete(self, stored: StoredResponse) -> None:
        self._first("delete")
        super().delete(stored)

    def purge(self, rule: PurgeRule, *, durable: bool = True) -> int:
        self._first("purge")
        return super().purge(rule, durable=durable)

    def rules_since(self, generation: int) -> list[PurgeRule]:
        self._first("rules_since")
        return super().rules_since(generation)

    def variants(self, key_hash: bytes) -> tuple[StoredResponse, ...]:
        self._first("variants")
        return super().variants(key_hash)

    def remove_corrupt(self, stored: StoredResponse, n: int) -> None:
        self._first("remove_corrupt")
        super().remove_corrupt(stored, n)


class _BreakablePart(Part):
    """A part of such a store."""

    __slots__ = ()

    def _first(self, what: str) -> None:
        cast("Any", self._commit).__self__._first(what)

    def set_head(self, stored: StoredResponse) -> None:
        self._first("set_head")
        super().set_head(stored)

    def write(self, buffer: memoryview | bytes | bytearray, at: int) -> None:
        self._first("write")
        super().write(buffer, at)

    def publish(self, written: int) -> None:
        self._first("publish")
        super().publish(written)

    def finish(self, stored: StoredResponse, length: int, *, record: bool = True) -> bool:
        self._first("finish")
        return super().finish(stored, length, record=record)


class _DeadPart(_BreakablePart):
    """A part whose process is gone: nothing is done to it any more."""

    __slots__ = ()

    def fail(self, reason: bytes) -> None:
        return

    def mark_uncacheable(self) -> None:
        return

    def close(self) -> None:
        return


def die_with(part: Part) -> None:
    """Leave a part as a process does that dies: its descriptor is closed, and no more."""
    part.__class__ = _DeadPart
    if part.claim is not None:
        part.claim.give()
    if part.fd >= 0:
        os.close(part.fd)
        part.fd = -1


def _sparse(fd: int, _offset: int, size_bytes: int) -> None:
    """Make a file so long without its blocks: 32 MB of zeros for each dialogue take most of it."""
    os.ftruncate(fd, max(size_bytes, os.fstat(fd).st_size))


@contextmanager
def temporary_store() -> Iterator[BreakableStore]:
    """Open a store in a directory of its own, in memory where that is possible."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="headrace-", dir=parent))
    try:
        settings = StoreSettings(STORE_BYTES, SLICE, map_bytes=MAP_BYTES)
        with patch.object(os, "posix_fallocate", _sparse):
            store = BreakableStore.open(path, settings, clock=lambda: EPOCH_S)
            assert isinstance(store, BreakableStore)
            try:
                yield store
            finally:
                store.close()
    finally:
        shutil.rmtree(path)


def open_files(path: Path) -> list[str]:
    """Return which files of slices and parts in this store are open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith((f"{path}/objects", f"{path}/parts")):
                found.append(target)
    return found
