"""The store: one index and one directory of slice files, shared by all workers of an edge.

This is all that others use; what stands behind each method has its own module. Nothing here
decides what may be stored or for how long.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from headrace.cache.key import key_hash
from headrace.cache.record import StoredResponse
from headrace.store import listing, purge_journal, whole
from headrace.store.commit import Committer, check
from headrace.store.directory_lock import DirectoryLock
from headrace.store.doomed_files import DoomedFiles
from headrace.store.errors import StoreError
from headrace.store.header import decode_record
from headrace.store.index import READ_ERRORS, Index, damaged
from headrace.store.layout import (
    JOURNAL,
    OBJECTS,
    PAGE_BYTES,
    PARTS,
    SPARES,
    record_key,
    slice_file,
    slice_key,
    slice_of,
    slot_of,
)
from headrace.store.live_purges import LivePurges, encode_rule, newest_rules
from headrace.store.opening import open_index
from headrace.store.part import MOST_HELD_BYTES, Busy, Part
from headrace.store.permits import Claim, Permits
from headrace.store.purge_rules import LONGEST_VALUE, MOST_RULES, PurgeEffect, PurgeRule
from headrace.store.rows import NO_ROW, SliceRow
from headrace.store.settings import StoreSettings
from headrace.store.shared_memory import SharedState
from headrace.store.slice_reader import Fault, OpenSlice, SliceReader, SmallBody
from headrace.store.spare_files import SpareFiles, limit_for
from headrace.store.transaction import Transaction, invalidated
from headrace.store.whole import Ready, VariantOf, Whole

# `Store.list` hides the built-in name inside the class.
Numbers = list[int]
Numbered = list[tuple[bytes, int]]
Rules = list[PurgeRule]
Page = tuple[list[StoredResponse], bytes | None]
Inspection = list[dict[str, Any]]


class Store:
    """Stored responses and their bodies, bounded by bytes. One thread at a time."""

    def __init__(
        self, path: Path, settings: StoreSettings, index: Index, state: SharedState,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """Take what `open` has opened.

        `on_removed` of a process that keeps slices open is told the versions and numbers of those
        whose files it is about to remove: until they are closed they take room on the disk.
        """
        self.path = path
        self.settings = settings
        self.index = index
        self.state = state
        self._clock = clock
        self.objects = os.fspath(path / OBJECTS)
        self.parts = path / PARTS
        self.rules = LivePurges(index, state)
        self.spares = SpareFiles(path / SPARES, limit_for(settings))
        self.committer = Committer(settings, self.rules, self.objects, self.transaction)
        self._permits = Permits(path, self._commit, self.spares)
        self._reader = SliceReader(
            index, self.objects, checksum=settings.checksum_on_open, on_fault=self._remove_faulty
        )
        self.on_removed: Callable[[Numbered], None] | None = None
        self._closed = False

    @staticmethod
    def claim(path: Path) -> DirectoryLock:
        """Own the cache directory for one edge (the supervisor does this before `open`).

        The claim dies with its process. Raises StoreInUse when another edge holds it.
        """
        return DirectoryLock.take(path)

    @classmethod
    def open(
        cls, path: Path, settings: StoreSettings, *, clock: Callable[[], float] = time.time
    ) -> Store:
        """Open or make the store; milliseconds whatever its size. Not for the event loop.

        After a crash of the operating system the index is set aside, and `maintenance.rebuild`
        fills it again from the files. `clock` returns Unix time.

        Raises StoreError (other format, no room) or OSError.
        """
        index, state = open_index(path, settings, clock())
        return cls(path, settings, index, state, clock)

    def close(self) -> None:
        """Close index and shared memory. Idempotent. Open slices and parts stay readable."""
        if not self._closed:
            self._closed = True
            self.spares.close()
            self._permits.close()
            self.index.close()
            self.state.close()

    # Looking up

    def generation(self) -> int:
        """Return a number that changes when any process purges. 100 ns, no system call."""
        return self.state.generation()

    def vary_of(self, key_hash: bytes) -> tuple[bytes, ...] | None:
        """Return the fields that select this key's variants; None when nothing is stored. 2 µs."""
        try:
            with self.index.read() as transaction:
                packed = transaction.get(key_hash, None, self.index.vary)
                return whole.decode_names(packed) if packed is not None else None
        except READ_ERRORS as error:
            raise damaged(error) from error

    def lookup(self, key_hash: bytes, variant: bytes) -> StoredResponse | None:
        """Return the record: None when hard-purged, INVALIDATED when soft-purged. 4 µs.

        Raises StoreError when the index is damaged.
        """
        rules = self.rules.current()
        try:
            with self.index.read() as transaction:
                packed = transaction.get(record_key(key_hash, variant), None, self.index.records)
                if packed is None:
                    return None
                stored = decode_record(packed)
        except msgspec.DecodeError:
            self._remove_unreadable(key_hash, variant)
            return None
        except READ_ERRORS as error:
            raise damaged(error) from error
        if stored.generation >= rules.newest:
            return stored
        match rules.effect(stored):
            case PurgeEffect.KEPT:
                return stored
            case PurgeEffect.SOFT:
                return invalidated(stored)
            case PurgeEffect.HARD:
                return None

    def whole(self, key_hash: bytes, variant_of: VariantOf) -> Whole | None:
        """Return what is stored for a key, unless a purge has to do with it, with its body and its
        slot if that is in the index: `vary_of`, `lookup` and `open_slice` by one look, 7 µs.

        What is damaged is left to those. Raises StoreError when the index is.
        """
        return whole.find(self.index, self.rules.current(), key_hash, variant_of)

    def ready(
        self, key_hash: bytes, now: float, variant_of: VariantOf
    ) -> Ready | Literal[False] | None:
        """Return what is stored for a key, with its head and its body, if that can be sent at `now`
        with no decision, 5 µs; None when nothing is stored for the key.

        False leaves it to `whole` and the others. Raises StoreError when the index is damaged.
        """
        return whole.ready(self.index, self.rules.current(), key_hash, now, variant_of)

    def open_slice(self, stored: StoredResponse, n: int) -> OpenSlice | SmallBody | None:
        """Open one slice, 15 µs, or read its body from the index, 4 µs; None when it is not there
        or was corrupt (then removed).

        With `checksum_on_open` the first call per slice and process reads it whole; a body in the
        index is always verified. Raises OSError (too many open files, EIO).
        """
        try:
            return self._reader.open(stored, n)
        except READ_ERRORS as error:
            raise damaged(error) from error

    def remove_corrupt(self, stored: StoredResponse, n: int) -> None:
        """Take out a slice that the caller has found to be damaged, and count it."""
        key = slice_key(stored.version, n)
        with self.transaction() as transaction:
            if transaction.drop_slice(key):
                transaction.change.totals.corrupt += 1

    def has_slice(self, version: bytes, n: int) -> bool:
        """Return whether a slice is there. 2 µs. Raises StoreError."""
        try:
            with self.index.read() as transaction:
                key = slice_key(version, n)
                return transaction.get(key, None, self.index.slices) is not None
        except READ_ERRORS as error:
            raise damaged(error) from error

    def slices(self, stored: StoredResponse) -> Numbers:
        """Return the numbers of the slices that are there, ascending. Raises StoreError."""
        try:
            return listing.slice_numbers(self.index, stored.version)
        except READ_ERRORS as error:
            raise damaged(error) from error

    def slot(self, version: bytes, n: int) -> int:
        """Return the hit counter of a slice, for `touch`. Pure, 500 ns."""
        return slot_of(slice_key(version, n))

    def touch(self, slot: int) -> None:
        """Count a hit for eviction. 150 ns, no system call."""
        self.state.touch(slot)

    # Filling

    def permit(self, name: bytes) -> Claim | None:
        """Become the one who fills slice 0 of `name`, as `begin_part`, but without a part. 3 µs."""
        return self._permits.claim(name)

    def begin_part(self, name: bytes, n: int, claim: Claim | None = None) -> Part | Busy:
        """Become the one who fills slice `n` of `name` (any bytes), or learn who does. 50 µs.

        The slice may have been finished between the caller's lookup and this: with a Part in hand,
        look up again. Raises OSError.
        """
        return self._permits.begin(name, n, claim)

    def store_together(self, small: Sequence[tuple[StoredResponse, bytes]]) -> list[bool]:
        """Store small responses by themselves: see `Committer.commit_together`."""
        return self.committer.commit_together(small)

    def keeps_inside(self, stored: StoredResponse) -> bool:
        """Return whether a response is likely to be kept in the index, so that `Part.hold` spares
        writing it to a file first. Pure.
        """
        return 0 <= stored.length <= min(self.settings.inline_bytes, MOST_HELD_BYTES)

    def record(self, stored: StoredResponse, key_hash: bytes) -> bool:
        """Insert or replace a record's metadata (a freshened response). 30 µs.

        `stored.length` must be known. False when a purge newer than `stored.generation`, or a
        newer representation, forbids it: a freshened record carries the generation as it was
        before the request to the origin was sent. A record without any slice is charged one page
        and evicted like a slice.
        """
        check(stored)
        with self.transaction() as transaction:
            key = record_key(key_hash, stored.variant)
            admitted = transaction.admitted(stored, key, self.rules.within(transaction.change))
            if admitted is None:
                transaction.change.totals.refused += 1
                return False
            if not transaction.slice_keys(stored.version, 1):
                used_bytes = transaction.change.totals.used_bytes
                transaction.make_room(PAGE_BYTES, ceiling_bytes=used_bytes)
            transaction.put_record(admitted, key_hash)
            return True

    def delete(self, stored: StoredResponse) -> None:
        """Forget one representation and its slices. A fill in flight may bring it back: `purge`
        forbids that.
        """
        with self.transaction() as transaction:
            key = record_key(key_hash(stored.key), stored.variant)
            transaction.drop_record(key, stored.version)
            transaction.supersede(stored.version)

    # Purging

    def purge(self, rule: PurgeRule, *, durable: bool = True) -> int:
        """Purge by a rule, whatever the number of matches; return the new generation.

        Visible to every process at its next lookup. `durable` waits for the disk, so that a crash
        of the operating system cannot undo the purge (milliseconds: not on the event loop). Raises
        StoreError or OSError: then nothing was purged.
        """
        path = self.path / JOURNAL
        if len(rule.value) > LONGEST_VALUE:
            raise StoreError(f"a purge of more than {LONGEST_VALUE} bytes hits nothing: shorten it")
        with self.index.write() as change:
            if self.index.rows_in(self.index.rules, change.transaction) >= MOST_RULES:
                # Not StoreFull: clients can bring it about, and the disk takes what comes.
                raise StoreError(
                    f"{MOST_RULES} purges wait to be carried out: wait, or purge by prefix or all"
                )
            generation = max(change.totals.generation, self.state.generation()) + 1
            rule = msgspec.structs.replace(rule, generation=generation, made_at=self._clock())
            change.put(self.index.rules, generation.to_bytes(8, "big"), encode_rule(rule))
            change.totals.generation = generation
            purge_journal.append(path, rule)
            # Announced before it is committed: who sees the number waits for the commit.
            self.state.set_generation(generation)
        if durable:
            purge_journal.sync(path)
        return generation

    def rules_since(self, generation: int) -> Rules:
        """Return the live rules newer than `generation`, oldest first. Raises StoreError."""
        return self.rules.current().since(generation)

    def pending_purges(self, limit: int) -> Rules:
        """Return the newest purges that the sweep has not finished with, newest first."""
        with self.index.read() as transaction:
            return newest_rules(self.index, transaction, limit)

    # Numbers and lists

    def stats(self) -> dict[str, int]:
        """Return counts and bytes, for all processes together."""
        return listing.stats(self.index, self.state, self.settings.size_bytes)

    def list(self, prefix: bytes, limit: int, cursor: bytes | None = None) -> Page:
        """Return a page of records whose key begins with `prefix`, and where the next page begins.

        Reads 10,000 records at most, so a page may be short, or empty, and not the last: None says
        that there is no next page.
        """
        return listing.page(self.index, self.rules.current(), prefix, limit, cursor)

    def variants(self, key_hash: bytes) -> tuple[StoredResponse, ...]:
        """Return the records of a key that no purge has removed. Raises StoreError."""
        rules = self.rules.current()
        try:
            return listing.variants(self.index, rules, key_hash)
        except READ_ERRORS as error:
            raise damaged(error) from error

    def inspect(self, key_hash: bytes) -> Inspection:
        """Return every variant of a key: its record's fields and its slices, for operators."""
        return listing.inspect(self.index, self.rules.current(), key_hash)

    def room_bytes(self) -> int:
        """Return what the slices may take now: at least half of the store's size.

        From the size goes what processes hold besides on the same disk: parts in flight, and files
        deleted under their readers.
        """
        size_bytes = self.settings.size_bytes
        return size_bytes - min(self.state.held_bytes(), size_bytes // 2)

    def is_overheld(self) -> bool:
        """Return whether processes hold so much besides that nothing more is to be stored."""
        return self.state.held_bytes() > self.settings.size_bytes // 2

    # For this package

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a write transaction. The files of what it removes lose their names at its end: once
        others can write, a name may be that of a slice that was filled again.
        """
        with DoomedFiles(self.spares) as files, self.index.write() as change:
            transaction = Transaction(
                change, self.state, self.room_bytes(), self.settings, now=self._clock()
            )
            yield transaction
            if not transaction.doomed:
                return
            change.put_totals()  # the last that can fail
            # First of all it is closed here: what is still read is not used again.
            if self.on_removed is not None:
                self.on_removed([slice_of(key) for key in transaction.doomed])
            files.take(f"{self.objects}/{slice_file(key)}" for key in transaction.doomed)

    def _commit(self, finished: Part, stored: StoredResponse, length: int, record: bool) -> bool:
        return self.committer.commit(finished, stored, length, record=record)

    def _remove_unreadable(self, key_hash: bytes, variant: bytes) -> None:
        with self.transaction() as transaction:
            transaction.drop_unreadable(record_key(key_hash, variant))

    def _remove_faulty(self, key: bytes, row: SliceRow, fault: Fault) -> None:
        """Take a slice that cannot be served out of the index, unless it was replaced since."""
        with self.transaction() as transaction:
            packed = transaction.change.get(self.index.slices, key)
            if packed is None or not (SliceRow.read(packed) or NO_ROW).is_same_body(row):
                return
            if fault is Fault.MISSING and os.path.exists(f"{self.objects}/{slice_file(key)}"):
                return
            transaction.drop_slice(key)
            if fault is Fault.CORRUPT:
                transaction.change.totals.corrupt += 1
            else:
                transaction.change.totals.missing += 1
