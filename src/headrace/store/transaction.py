"""What one write transaction does to records, slices and queues, so that they always agree.

Files are not touched here: `doomed` names the slices whose files go at the transaction's end. (A
process that dies between them and the commit leaves rows without files, which go when they are
asked for. Going after the commit, a file could be one that another process has just filled again.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import msgspec
import xxhash

from headrace.cache import eviction
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.store import ready_rows, small_bodies
from headrace.store.header import decode_record, encode_record
from headrace.store.index import Change
from headrace.store.layout import (
    PAGE_BYTES,
    RECORD_ONLY,
    record_key,
    slice_key,
)
from headrace.store.lmdb_queues import LmdbQueues
from headrace.store.purge_rules import PurgeEffect, RuleSet
from headrace.store.rows import NO_ROW, SliceRow, place_and_length
from headrace.store.settings import StoreSettings
from headrace.store.shared_memory import SharedState

BATCH = 64
"""Slices that one transaction removes at most, so that no process waits long for the lock."""

THINNED = 16
"""Slices evicted for a new one when the index takes too much room, whatever their bytes."""

DROP_AT_ONCE = 16
"""A replaced version with more slices than this is left to the sweep."""

WHEN = struct.Struct(">d")
_RECORD_ONLY_KEY = RECORD_ONLY.to_bytes(4, "big")


@dataclass(slots=True)
class Limits:
    """What `Transaction.put_whole` may still take of the index's room for bodies, up to how many
    bytes in all, and up to which number of evictions.
    """

    inside_bytes: int
    used_bytes: int
    evictions: int


class Transaction:
    """The rows of one write transaction, as records and slices."""

    __slots__ = ("_settings", "capacity_bytes", "change", "doomed", "now", "queues")

    def __init__(
        self,
        change: Change,
        state: SharedState,
        room_bytes: int,
        settings: StoreSettings,
        *,
        now: float,
    ) -> None:
        """`room_bytes` is what the store may take of the disk now, beside the index's rows."""
        self.change = change
        self._settings = settings
        self.capacity_bytes = room_bytes - self._uncharged_bytes()
        self.queues = LmdbQueues(change, state, self.capacity_bytes)
        self.doomed: list[bytes] = []
        self.now = now

    def _uncharged_bytes(self) -> int:
        """Return what small bodies take of the disk beyond what they are charged: pages that are
        not full, and pages that they had and that rows do not need. The index's file does not
        shrink.
        """
        change, settings = self.change, self._settings
        beyond = change.index.reached_bytes() - settings.index_bytes
        inline_bytes = change.totals.inline_bytes
        if beyond <= 0 and not inline_bytes:
            return 0
        pages = change.index.body_page_bytes(change.transaction)
        most = max(pages, settings.inline_room_bytes)
        return max(0, min(max(pages, beyond), most) - inline_bytes)

    def existing(self, key: bytes) -> StoredResponse | None:
        """Return the record under this record key."""
        packed = self.change.get(self.change.index.records, key)
        try:
            return decode_record(packed) if packed is not None else None
        except msgspec.DecodeError:
            return None  # as good as none: the next one takes its place

    def admitted(self, stored: StoredResponse, key: bytes, rules: RuleSet) -> StoredResponse | None:
        """Return the record as it may be stored now; None when a purge or a newer one forbids it.

        What the index knows already has outlived the rules that were carried out and forgotten;
        what it does not know must have been fetched after the last of them.
        """
        effect = rules.effect(stored)
        if effect is PurgeEffect.HARD:
            return None
        known = self.existing(key)
        if known is None or known.version != stored.version:
            if stored.generation < self.change.totals.horizon:
                return None
            if self.change.get(self.change.index.superseded, stored.version) is not None:
                return None
            # A record from the future comes from a wrong clock: it must not stay for ever.
            if known is not None and stored.response_time < known.response_time <= self.now:
                return None
        if effect is PurgeEffect.SOFT:
            return invalidated(stored)
        return stored

    def put_whole(
        self, stored: StoredResponse, body: bytes, key_hash: bytes, rules: RuleSet, limits: Limits
    ) -> bool:
        """Insert a small response of which nothing is known, and its body; False when there is
        anything to be asked or done first: then nothing was changed but for what was evicted.
        """
        change, totals = self.change, self.change.totals
        charge = small_bodies.charge_bytes(len(body))
        limits.inside_bytes -= charge
        if limits.inside_bytes < 0 or stored.generation < max(rules.newest, totals.horizon):
            return False
        index = change.index
        key, owner = slice_key(stored.version, 0), record_key(key_hash, stored.variant)
        if (
            change.get(index.records, owner) is not None
            or change.get(index.slices, key) is not None
            or change.get(index.superseded, stored.version) is not None
        ):
            return False
        while totals.used_bytes + charge > limits.used_bytes:
            if totals.evictions >= limits.evictions or not self._evict_one():
                return False
        place = self.put_small_body(key, body, owner)
        self.put_record(stored, key_hash, new_at=place)
        return True

    def limits(self) -> Limits:
        """Return the bounds of what `put_whole` may do in this transaction."""
        totals, settings = self.change.totals, self._settings
        room_bytes = settings.inline_room_bytes - self.change.index.body_page_bytes(
            self.change.transaction
        )
        return Limits(
            inside_bytes=-1 if self.is_crowded() else room_bytes - PAGE_BYTES,
            used_bytes=max(self.capacity_bytes, totals.used_bytes),
            evictions=totals.evictions + BATCH,
        )

    def put_record(self, stored: StoredResponse, key_hash: bytes, *, new_at: int = 0) -> None:
        """Insert or replace a record; the slices of another version under its key go. `new_at`:
        there is none, and its body was put to this place in the index before.
        """
        index = self.change.index
        key = record_key(key_hash, stored.variant)
        known = None if new_at else self.existing(key)
        first_key = slice_key(stored.version, 0)
        slice_row = None if new_at else self.change.get(index.slices, first_key)
        place = new_at or (0 if slice_row is None else _place_of(slice_row, stored.length))
        row = None
        if place:
            mark = xxhash.xxh3_64_intdigest(first_key)
            row = ready_rows.encode(stored, key, place, mark)
        if row is not None:
            self.change.totals.layout = ready_rows.LAYOUT
        self.change.put(index.records, key, row or encode_record(stored))
        names = msgspec.msgpack.encode(stored.vary)
        if self.change.get(index.vary, key_hash) != names:
            self.change.put(index.vary, key_hash, names)
            if stored.vary:
                self._take_head(key_hash)
        if known is not None and known.version != stored.version:
            self.supersede(known.version)
        if not (new_at or slice_row or self.slice_keys(stored.version, 1)):
            self._insert(slice_key(stored.version, RECORD_ONLY), SliceRow(PAGE_BYTES, 0, key))

    def _take_head(self, key_hash: bytes) -> None:
        """Let the record without a variant be found by what selects variants alone: from now on
        that is asked for.
        """
        key = record_key(key_hash, b"")
        known = self.existing(key)
        if known is not None:
            self.change.put(self.change.index.records, key, encode_record(known))

    def put_slice(self, key: bytes, row: SliceRow) -> None:
        """Insert a slice that is not there (`make_room` ensures that)."""
        self.drop_slice(key[:-4] + _RECORD_ONLY_KEY, keep_record=True)
        self._insert(key, row)

    def has_room_inside(self, body_bytes: int) -> bool:
        """Return whether the index has room for one more small body."""
        if body_bytes > self._settings.inline_bytes:
            return False
        change = self.change
        pages = change.index.body_page_bytes(change.transaction)
        more = small_bodies.charge_bytes(body_bytes) + PAGE_BYTES
        return pages + more <= self._settings.inline_room_bytes

    def put_small_body(self, key: bytes, body: bytes, owner: bytes) -> int:
        """Insert a slice that is not there, with its body in the index; return its place."""
        change = self.change
        change.totals.position += 1
        place = change.totals.position
        for number, piece in enumerate(small_bodies.pieces_of(key, body)):
            change.append(change.index.bodies, small_bodies.key_of(place, number), piece)
        charge = small_bodies.charge_bytes(len(body))
        change.totals.inline_bytes += charge
        self.put_slice(key, SliceRow(charge, len(body), owner, place=place))
        return place

    def _remove_body(self, row: SliceRow) -> None:
        """Remove the rows of a small body, also those that its length knows nothing of."""
        change = self.change
        count = small_bodies.piece_count(row.body_bytes)
        for number in range(small_bodies.MOST):
            key = small_bodies.key_of(row.place, number)
            if not change.remove(change.index.bodies, key) and number >= count:
                break
        change.totals.inline_bytes = max(0, change.totals.inline_bytes - row.file_bytes)

    def _insert(self, key: bytes, row: SliceRow) -> None:
        self.queues.expect(key, row)
        eviction.insert(self.queues, key, row.file_bytes)
        self.change.totals.insertions += 1

    def make_room(
        self,
        file_bytes: int,
        *,
        replacing: bytes | None = None,
        by_file: bool = True,
        ceiling_bytes: int = 0,
    ) -> bool:
        """Evict up to BATCH slices for a new one; False when that was not enough yet.

        A slice of the same key leaves first: if the new one is a file (`by_file`), that of the old
        one is about to be replaced, not unlinked. With
        `ceiling_bytes` above the capacity (the store's size was lowered) it need not come down
        all the way at once: the sweep does the rest.
        """
        if replacing is not None:
            self.drop_slice(replacing, keep_record=True, keep_file=by_file)
        totals = self.change.totals
        limit_bytes = max(self.capacity_bytes, ceiling_bytes)
        if self.is_crowded():
            self._thin_out()
        for _ in range(BATCH):
            if totals.used_bytes + file_bytes <= limit_bytes or not self._evict_one():
                return True
        return totals.used_bytes + file_bytes <= limit_bytes

    def is_crowded(self) -> bool:
        """Return whether the index takes more than it may, however few bytes the slices have."""
        index, most = self.change.index, self._settings.index_bytes
        if index.reached_bytes() <= most:
            return False
        return index.occupied_bytes(self.change.transaction) > most

    def _thin_out(self) -> None:
        """Free room in the index: rows of the ghost, and some slices with what is theirs.

        Pages are only freed when all their rows are gone, so it takes more than one comes in.
        """
        self.queues.ghost_trim(THINNED)
        for _ in range(THINNED):
            if not self._evict_one():
                return

    def _evict_one(self) -> bool:
        """Evict one slice; False when there is nothing left to evict."""
        totals = self.change.totals
        victim = eviction.evict_one(self.queues, self.capacity_bytes)
        if victim is None:
            return False
        self.drop_slice(victim[0])
        totals.evictions += 1
        totals.evicted_bytes += victim[1]
        return True

    def drop_slice(self, key: bytes, *, keep_record: bool = False, keep_file: bool = False) -> bool:
        """Remove one slice; its record goes with the last, for without a body it is no use."""
        packed = self.change.get(self.change.index.slices, key)
        if packed is None:
            return False
        row = SliceRow.read(packed)
        if row is None:
            row = NO_ROW  # its place in the queue is found there when its turn comes
        else:
            self.queues.take_out(row)
        self.change.remove(self.change.index.slices, key)
        if row.place:
            self._remove_body(row)
        elif not keep_file and key[-4:] != _RECORD_ONLY_KEY:
            self.doomed.append(key)
        if not keep_record and not self.slice_keys(key[:-4], 1):
            self.drop_record(row.record_key, key[:-4])
        return True

    def forget_unless_kept(self, version: bytes, key: bytes) -> None:
        """Remove a record of which no slice is left."""
        if not self.slice_keys(version, 1):
            self.drop_record(key, version)

    def drop_record(self, key: bytes, version: bytes) -> None:
        """Remove a record if it still is this version's."""
        known = self.existing(key)
        if known is None or known.version != version:
            return
        self._remove_record(key)

    def drop_unreadable(self, key: bytes) -> None:
        """Remove what is under this record key if it says nothing: it costs one fill, and a count.
        Its slices leave when their turn comes.
        """
        if self.existing(key) is None and self._remove_record(key):
            self.change.totals.corrupt += 1

    def _remove_record(self, key: bytes) -> bool:
        index = self.change.index
        removed = self.change.remove(index.records, key)
        if removed and not self.change.keys_with_prefix(index.records, key[:16], 1):
            self.change.remove(index.vary, key[:16])
        return removed

    def supersede(self, version: bytes) -> None:
        """Remove a version's slices, now if they are few, by the sweep if they are many."""
        keys = self.slice_keys(version, DROP_AT_ONCE + 1)
        if len(keys) > DROP_AT_ONCE:
            self.change.put(self.change.index.superseded, version, WHEN.pack(self.now))
            return
        for key in keys:
            self.drop_slice(key)

    def slice_keys(self, version: bytes, limit: int) -> list[bytes]:
        """Return up to `limit` slice keys of a version, ascending, the record-only one last."""
        found = self.change.keys_with_prefix(self.change.index.slices, version, limit)
        return [key for key in found if len(key) == len(version) + 4]


def _place_of(packed: bytes, body_bytes: int) -> int:
    """Return where in the index a slice's body is, by its row; 0 when it is elsewhere, or not the
    whole of a response of this length.
    """
    place, length = place_and_length(packed)
    return place if length == body_bytes else 0


def invalidated(stored: StoredResponse) -> StoredResponse:
    """Return the record, stale from now on."""
    return msgspec.structs.replace(stored, flags=stored.flags | StoredFlag.INVALIDATED)
