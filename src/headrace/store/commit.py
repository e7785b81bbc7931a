"""Making a complete part a slice: its body in the index or in a file, and the rows for it.

A file is linked inside the transaction, so that no row is without one. A small body needs none: it
is written with its rows.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from headrace.cache.key import key_hash
from headrace.cache.record import StoredResponse
from headrace.store.errors import SliceTooLarge, StoreError
from headrace.store.files import link
from headrace.store.layout import in_pages, record_key, slice_file, slice_key
from headrace.store.live_purges import LivePurges
from headrace.store.part import Part
from headrace.store.rows import SliceRow
from headrace.store.settings import StoreSettings
from headrace.store.small_bodies import charge_bytes
from headrace.store.transaction import Transaction

MOST_BATCHES = 2
"""Batches of slices that one commit evicts: some 10 ms. What more it takes is left to `trim`."""


class _Room(enum.Enum):
    """Whether there is room for a slice: there is, after another batch, not now."""

    THERE = enum.auto()
    SOON = enum.auto()
    NONE = enum.auto()


class Committer:
    """Commits the parts of one store. `on_behind` is called when a commit has left slices to be
    evicted, or has come to nothing since too many are left.
    """

    def __init__(
        self,
        settings: StoreSettings,
        rules: LivePurges,
        objects: str,
        transaction: Callable[[], AbstractContextManager[Transaction]],
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._objects = objects
        self._transaction = transaction
        self.on_behind: Callable[[], None] | None = None

    def commit(self, finished: Part, stored: StoredResponse, length: int, *, record: bool) -> bool:
        """Index a part that is complete (see Part.finish).

        False also when too much would have to be evicted for it: a commit takes a bounded time,
        and the store never has more than `overshoot_bytes` above its capacity. A slice larger than
        that, in a store that has room for few, evicts all that it takes.

        Raises SliceTooLarge, StoreError or OSError.
        """
        check(stored, length_known=record)
        file_bytes = in_pages(finished.body_offset + length)
        if file_bytes > self._settings.size_bytes // 2:
            raise SliceTooLarge(
                f"a slice of {file_bytes} bytes is refused by a store of "
                f"{self._settings.size_bytes}: lower store.slice or raise store.size"
            )
        key = slice_key(stored.version, finished.n)
        hashed = key_hash(stored.key)
        owner = record_key(hashed, stored.variant)
        small = self._small_body(finished, stored, length)
        if small is None:
            finished.seal(stored, length)
        ceiling_bytes = batches = 0
        while True:
            batches += 1
            with self._transaction() as transaction:
                ceiling_bytes = ceiling_bytes or transaction.change.totals.used_bytes
                admitted = transaction.admitted(
                    stored, owner, self._rules.within(transaction.change)
                )
                if admitted is None:
                    transaction.supersede(stored.version)
                    transaction.change.totals.refused += 1
                    return False
                if small is not None and not transaction.has_room_inside(length):
                    finished.seal(stored, length)
                    small = None
                    file_bytes = in_pages(finished.body_offset + length)
                taken_bytes = file_bytes if small is None else charge_bytes(length)
                if not transaction.make_room(
                    taken_bytes, replacing=key, by_file=small is None, ceiling_bytes=ceiling_bytes
                ):
                    room = self._room(transaction, taken_bytes, batches)
                    if room is _Room.SOON:
                        continue  # commits what was evicted, so that no transaction is long
                    if room is _Room.NONE:
                        transaction.forget_unless_kept(stored.version, owner)
                        return False
                if small is None:
                    link(finished.path, f"{self._objects}/{slice_file(key)}")
                    transaction.put_slice(key, SliceRow(file_bytes, length, owner))
                else:
                    transaction.put_small_body(key, small, owner)
                    finished.is_inside = True
                known = transaction.existing(owner) if record else admitted
                if known is None or known.version != stored.version:
                    transaction.put_record(admitted, hashed)
                return True

    def _room(self, transaction: Transaction, more_bytes: int, batches: int) -> _Room:
        """Return what becomes of a slice for which `batches` of others were not enough."""
        most_bytes = self._settings.overshoot_bytes
        if batches < MOST_BATCHES or more_bytes > most_bytes:
            return _Room.SOON
        if self.on_behind is not None:
            self.on_behind()
        above_bytes = transaction.change.totals.used_bytes + more_bytes - transaction.capacity_bytes
        if above_bytes <= most_bytes:
            return _Room.THERE
        transaction.change.totals.refused += 1
        return _Room.NONE

    def commit_together(self, small: Sequence[tuple[StoredResponse, bytes]]) -> list[bool]:
        """Store small responses, their bodies in the index, in one transaction: a third of the
        time that it takes for each of many. Return of each whether that is done; what anything
        stands against is for a part.

        Raises StoreError or OSError: then none is stored.
        """
        most = self._settings.inline_bytes
        with self._transaction() as transaction:
            rules, limits = self._rules.within(transaction.change), transaction.limits()
            return [
                len(body) <= most
                and transaction.put_whole(stored, body, key_hash(stored.key), rules, limits)
                for stored, body in small
            ]

    def _small_body(self, finished: Part, stored: StoredResponse, length: int) -> bytes | None:
        """Return the body when it is small and the whole response's, to be kept in the index."""
        most = self._settings.inline_bytes
        if not most or length > most or finished.n or stored.length != length:
            return None
        return finished.read(length)


def check(stored: StoredResponse, *, length_known: bool = True) -> None:
    """Refuse a record that cannot be stored. Raises StoreError."""
    if length_known and stored.length < 0:
        raise StoreError("a record is not stored before its length is known")
    if not 8 <= len(stored.version) <= 32:
        raise StoreError("a version is 8 to 32 bytes: the body is filed under it")
