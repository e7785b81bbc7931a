"""The store: one index and one directory of slice files, shared by all workers of an edge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.cache.store.claim import Claim
from headrace.cache.store.part import Busy, Part
from headrace.cache.store.rules import PurgeRule
from headrace.cache.store.settings import StoreSettings
from headrace.cache.stored import StoredResponse


# `Store.list` hides the built-in name inside the class.
Numbers = list[int]
Rules = list[PurgeRule]
Page = tuple[list[StoredResponse], bytes | None]
Inspection = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class OpenSlice:
    """An open slice file: `length` body bytes from `offset`. The caller closes `fd`."""

    fd: int
    offset: int
    length: int
    slot: int  # for Store.touch


class Store:
    """Stored responses and their bodies, bounded by bytes. Not for use by several threads."""

    settings: StoreSettings
    path: Path

    @staticmethod
    def claim(path: Path) -> Claim:
        """Own the cache directory for one edge (the supervisor does this before `open`).

        The claim dies with its process. Raises StoreInUse when another edge holds it.
        """
        raise NotImplementedError

    @classmethod
    def open(cls, path: Path, settings: StoreSettings, *, now: float | None = None) -> Store:
        """Open or make the store; milliseconds whatever its size. Not for the event loop.

        After a crash of the operating system the index is set aside: `rebuild_step` fills it again
        from the files. Raises StoreError (other format, no permission).
        """
        raise NotImplementedError

    def close(self) -> None:
        """Idempotent. Open slices and parts stay readable."""
        raise NotImplementedError

    def generation(self) -> int:
        """Changes when any process purges. 100 ns, no system call."""
        raise NotImplementedError

    def vary_of(self, key_hash: bytes) -> tuple[bytes, ...] | None:
        """The header names that select this key's variants; None when nothing is stored. 2 µs."""
        raise NotImplementedError

    def lookup(self, key_hash: bytes, variant: bytes) -> StoredResponse | None:
        """The record, after purges: hard-purged is None, soft-purged has INVALIDATED. 4 µs."""
        raise NotImplementedError

    def record(self, stored: StoredResponse, key_hash: bytes) -> bool:
        """Insert or replace a record's metadata (a freshened response). 20 µs.

        `stored.length` must be known. False when a purge newer than `stored.generation` matches:
        set the generation as it was before the request to the origin was sent.
        """
        raise NotImplementedError

    def open_slice(self, stored: StoredResponse, n: int) -> OpenSlice | None:
        """Open one slice; None when it is not there or was corrupt (then removed). 10 µs.

        With `checksum_on_open` the first call per slice reads it whole.
        """
        raise NotImplementedError

    def has_slice(self, version: bytes, n: int) -> bool:
        """2 µs."""
        raise NotImplementedError

    def slices(self, stored: StoredResponse) -> Numbers:
        """The numbers of the slices that are there, ascending."""
        raise NotImplementedError

    def begin_part(self, name: bytes, n: int) -> Part | Busy:
        """Become the one who fills slice `n` of `name` (any bytes), or learn who does. 50 µs.

        The slice may have been finished between the caller's lookup and this: with a Part in hand,
        look up again. Raises OSError.
        """
        raise NotImplementedError

    def slot(self, version: bytes, n: int) -> int:
        """The hit counter of a slice, for `touch`. Pure, 500 ns."""
        raise NotImplementedError

    def touch(self, slot: int) -> None:
        """Count a hit for eviction. 150 ns, no system call."""
        raise NotImplementedError

    def delete(self, stored: StoredResponse) -> None:
        """Forget one representation and its slices."""
        raise NotImplementedError

    def purge(self, rule: PurgeRule, *, durable: bool = True) -> int:
        """Purge by a rule, whatever the number of matches; returns the new generation.

        Visible to every process at its next lookup. `durable` waits for the disk, so that a crash
        of the operating system cannot undo the purge (milliseconds: not on the event loop).
        """
        raise NotImplementedError

    def rules_since(self, generation: int) -> Rules:
        """The live rules newer than `generation`, oldest first."""
        raise NotImplementedError

    def sweep(self, limit: int, *, keep_s: float = 600.0) -> bool:
        """One step of the broom over at most `limit` records; True while there is more to do.

        One process at a time sweeps; for others this is False at once.
        """
        raise NotImplementedError

    def sweep_orphans(self, limit: int) -> bool:
        """Remove files without an index entry, among about `limit` files; True: more to do."""
        raise NotImplementedError

    def rebuild_step(self, limit: int) -> bool:
        """Index about `limit` files anew after a doubtful start; True while there is more."""
        raise NotImplementedError

    def stats(self) -> dict[str, int]:
        """Counts and bytes, for all processes together."""
        raise NotImplementedError

    def list(self, prefix: bytes, limit: int, cursor: bytes | None = None) -> Page:
        """A page of records whose key begins with `prefix`, and where to go on (None: the end)."""
        raise NotImplementedError

    def inspect(self, key_hash: bytes) -> Inspection:
        """Every variant of a key: its record's fields and its slices, for operators."""
        raise NotImplementedError
