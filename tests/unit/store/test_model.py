"""The store beside a dictionary: whatever is done to both, they tell the same."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.store import PurgeRule, Store, StoreSettings, matches, small_bodies
from headrace.store.layout import digest
from headrace.store.maintenance import sweep
from headrace.store.rows import SliceRow
from tests.unit.store.samples import SLICE_BYTES, a_record, body_of, fill, slice_files

PAGE = 4096
CAPACITY = 16 * PAGE
keys = st.sampled_from([b"films\n/a", b"films\n/b", b"films\n/dir/a", b"music\n/a"])
tags = st.sampled_from([(), (b"t",), (b"u",)])


@dataclass
class Known:
    """What the model knows of one key: the record and the bodies it was given."""

    stored: StoredResponse
    bodies: dict[int, bytes]
    soft: bool = False


class StoreBesideDictionary(RuleBasedStateMachine):
    """Evictions are the store's own business: it may know less than the model, never other."""

    inline_bytes = 0
    capacity = CAPACITY

    @initialize()
    def begin(self) -> None:
        self.path = Path(tempfile.mkdtemp())
        self.versions = 0
        self.model: dict[bytes, Known] = {}
        self.open()

    def open(self) -> None:
        options = StoreSettings(
            self.capacity,
            SLICE_BYTES,
            map_bytes=32 * 1024 * 1024,
            inline_bytes=self.inline_bytes,
        )
        self.store = Store.open(self.path, options)

    @rule(key=keys, tags=tags, size=st.integers(0, 3 * PAGE))
    def fill_new(self, key: bytes, tags: tuple[bytes, ...], size: int) -> None:
        self.versions += 1
        version = str(self.versions)
        body = bytes([self.versions % 256]) * size
        stored = a_record(
            key,
            version,
            tags=tags,
            length=size,
            generation=self.store.generation(),
            response_time=float(self.versions),
        )
        assert fill(self.store, stored, body)
        self.model[key] = Known(stored, {0: body})

    @rule(key=keys, n=st.integers(0, 3))
    def fill_another_slice(self, key: bytes, n: int) -> None:
        known = self.model.get(key)
        if known is None:
            return
        body = b"%d" % n * 100
        assert fill(self.store, known.stored, body, n)
        known.bodies[n] = body

    @rule(key=keys, kind=st.sampled_from(["url", "prefix", "tag", "all"]), soft=st.booleans())
    def purge(self, key: bytes, kind: str, soft: bool) -> None:
        purge = {
            "url": PurgeRule("url", key, soft),
            "prefix": PurgeRule("prefix", key[:8], soft),
            "tag": PurgeRule("tag", b"t", soft),
            "all": PurgeRule("all", b"", soft, service=key[:5]),
        }[kind]
        self.store.purge(purge, durable=False)
        for hit in [key for key, known in self.model.items() if matches(purge, known.stored)]:
            if soft:
                self.model[hit].soft = True
            else:
                del self.model[hit]

    @rule(key=keys)
    def freshen(self, key: bytes) -> None:
        found = self.store.lookup(digest(key), b"")
        if found is None:
            return
        fresher = msgspec.structs.replace(
            found,
            flags=0,
            generation=self.store.generation(),
            response_time=found.response_time + 0.1,
        )
        assert self.store.record(fresher, digest(key))
        self.model[key].stored = fresher
        self.model[key].soft = False

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        known = self.model.pop(key, None)
        if known is not None:
            self.store.delete(known.stored)

    @rule(limit=st.integers(1, 3))
    def sweep(self, limit: int) -> None:
        sweep.step(self.store, limit, now=time.time(), keep_s=0.0)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def what_is_found_is_what_was_stored(self) -> None:
        for key in (b"films\n/a", b"films\n/b", b"films\n/dir/a", b"music\n/a"):
            found = self.store.lookup(digest(key), b"")
            if found is None:
                continue
            known = self.model[key]
            assert found.version == known.stored.version
            assert bool(found.flags & StoredFlag.INVALIDATED) is known.soft
            for n in self.store.slices(found):
                assert body_of(self.store, found, n) == known.bodies[n]

    @invariant()
    def the_bytes_are_within_the_size_and_those_on_disk(self) -> None:
        stats = self.store.stats()
        files = sum(-(-file.stat().st_size // PAGE) * PAGE for file in slice_files(self.path))
        assert files + stats["inline_bytes"] == stats["bytes"] <= self.capacity

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.path)


class SmallBodiesBesideDictionary(StoreBesideDictionary):
    """The same, with bodies in the index, in files, and each in the other's place."""

    inline_bytes = 2 * PAGE
    capacity = 64 * PAGE

    @rule(inside=st.booleans())
    def reopen_otherwise(self, inside: bool) -> None:
        self.store.close()
        self.inline_bytes = 2 * PAGE if inside else 0
        self.open()

    @invariant()
    def each_small_body_has_its_rows_and_no_other_has(self) -> None:
        index = self.store.index
        with index.read() as transaction, transaction.cursor(index.slices) as cursor:
            rows = [SliceRow.unpacked(value) for _key, value in cursor]
        small = [row for row in rows if row.place]
        assert index.entries(index.bodies) == sum(
            small_bodies.piece_count(row.body_bytes) for row in small
        )
        assert index.totals().inline_bytes == sum(row.file_bytes for row in small)
        with index.read() as transaction:
            assert index.body_page_bytes(transaction) <= self.store.settings.inline_room_bytes


SmallBodiesBesideDictionary.TestCase.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None
)
TestSmallBodiesBesideDictionary = SmallBodiesBesideDictionary.TestCase

StoreBesideDictionary.TestCase.settings = settings(
    max_examples=15, stateful_step_count=40, deadline=None
)
TestStoreBesideDictionary = StoreBesideDictionary.TestCase
