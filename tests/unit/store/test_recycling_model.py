"""Two workers on a store whose files are written over, beside what each of its readers must see.

Each worker does one thing at a time, but the other may do something before any of its calls to the
system that is not in a write transaction: there two processes meet.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace.cache.record import StoredResponse
from headrace.store import (
    Busy,
    OpenSlice,
    Part,
    PartFollower,
    PurgeRule,
    Store,
    StoreSettings,
    lend,
    locks,
)
from headrace.store.layout import SPARES, in_pages, slice_file
from headrace.store.maintenance import sweep
from headrace.store.rows import SliceRow
from headrace.store.transaction import Transaction
from tests.unit.store.samples import a_record, orphans_swept, slice_files

PAGE = 4096
SIZE_BYTES = 512 * PAGE  # its spare files may take eight pages
NAMES = (b"s\nh/a", b"s\nh/b", b"s\nh/c")
STEPS = 500


@dataclass
class Reader:
    """One who reads: its descriptor (-1: closed, with the mapping left) and what it must see."""

    worker: int
    body: bytes
    fd: int = -1
    offset: int = 0
    mapping: mmap.mmap | None = None
    network: socket.socket | None = None

    def sees(self) -> bytes:
        """What it would send now."""
        if self.network is not None:
            return self.network.recv(1 << 20, socket.MSG_PEEK)
        if self.mapping is not None:
            return self.mapping[self.offset : self.offset + len(self.body)]
        return os.pread(self.fd, len(self.body), self.offset)

    def close(self) -> None:
        """As its process does, or the system for it."""
        if self.fd >= 0:
            os.close(self.fd)
        for held in (self.mapping, self.network):
            if held is not None:
                held.close()


@dataclass
class Filling:
    """A part that grows, and who follows it."""

    worker: int
    part: Part
    stored: StoredResponse
    body: bytes
    written: int = 0
    follower: PartFollower | None = None


class WorkerStore(Store):
    """A store that shares the open index with another: LMDB opens it once in a process."""

    writes = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        WorkerStore.writes = True
        try:
            with super().transaction() as transaction:
                yield transaction
        finally:
            WorkerStore.writes = False

    def close(self) -> None:
        self.spares.close()


def body_of(stored: StoredResponse, n: int, size_bytes: int) -> bytes:
    """A body that no other slice has at any place."""
    line = b"%s %d |" % (stored.version.hex().encode(), n)
    return (line * (size_bytes // len(line) + 1))[:size_bytes]


CALLS = ("link", "unlink", "rename", "pread", "pwrite", "fstat", "close", "ftruncate")


class Meeting:
    """Has something done before the n-th call to the system, in between two of a process."""

    def __init__(self, moment: int, does: Callable[[], None]) -> None:
        self._left = moment
        self._does = does

    def __enter__(self) -> None:
        self._calls: dict[str, Any] = {name: getattr(os, name) for name in CALLS}
        self._follow = locks.follow
        for name in CALLS:
            setattr(os, name, self._watched(self._calls[name]))
        locks.follow = self._watched(self._follow)

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def do(*given: Any) -> Any:
            if self._left >= 0 and not WorkerStore.writes:
                self._left -= 1
                if self._left < 0:
                    self._does()
            return call(*given)

        return do

    def __exit__(self, *_error: object) -> None:
        for name, call in self._calls.items():
            setattr(os, name, call)
        locks.follow = self._follow


class Scene:
    """The store, its workers, and what each slice is. Each step is one of `_steps`."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.chance = random.Random(seed)
        self.settings = StoreSettings(
            SIZE_BYTES, 64 * 1024, checksum_on_open=True, map_bytes=32 * 1024 * 1024
        )
        self.opened = Store.open(self.path, self.settings)
        self.stores = [self.begun(), self.begun()]
        self.versions = 0
        self.current: dict[bytes, StoredResponse] = {}
        self.bodies: dict[tuple[bytes, int], bytes] = {}
        self.readers: list[Reader] = []
        self.fillings: list[list[Filling]] = [[], []]
        self.killed = False
        self.recycled = 0

    def begun(self) -> WorkerStore:
        opened = self.opened
        return WorkerStore(self.path, self.settings, opened.index, opened.state, opened._clock)

    def step(self) -> None:
        """Do one thing."""
        chance = self.chance
        worker, n, size = chance.randrange(2), chance.randrange(2), chance.randint(1, 3 * PAGE)
        key, at = chance.choice(NAMES), chance.randrange(16)
        steps: dict[Callable[[], None], int] = {
            lambda: self.replace(key): 2,
            lambda: self.begin_to_fill(worker, key, n, size): 4,
            lambda: self.fill(worker, key, n, size, at): 8,
            lambda: self.write(worker, chance.randint(1, 3)): 3,
            lambda: self.follow(worker): 1,
            lambda: self.finish(worker, at, key, n): 3,
            lambda: self.give_up(worker): 1,
            lambda: self.open(worker, key, n, at, chance.choice(("file", "mapping", "network"))): 8,
            lambda: self.close_readers(chance.randint(1, 3)): 2,
            lambda: self.evict(worker, key, n): 6,
            lambda: self.evict_for_another(worker, key, n, size): 4,
            lambda: self.delete(worker, key): 1,
            lambda: self.purge(worker, key): 1,
            lambda: self.kill(worker): 1,
            self.sweep_orphans: 1,
        }
        (does,) = chance.choices(list(steps), list(steps.values()))
        does()

    def check(self) -> None:
        """Fail where anyone sees what he must not, or what is counted is not what is there."""
        self.each_reader_sees_its_own_body()
        self.what_is_written_is_still_there()
        self.index_and_disk_agree()
        self.spare_files_are_counted_and_bounded()

    # What workers do.

    def replace(self, key: bytes) -> None:
        """The origin has a new representation."""
        self.versions += 1
        self.current[key] = a_record(
            key, f"v{self.versions}", length=2 * 64 * 1024, response_time=float(self.versions)
        )

    def begin_to_fill(self, worker: int, key: bytes, n: int, size: int) -> None:
        if key not in self.current:
            self.replace(key)
        # As a fill does: its generation is of before it asked.
        generation = self.opened.generation()
        stored = msgspec.structs.replace(self.current[key], generation=generation)
        part = self.stores[worker].begin_part(stored.version, n)
        if isinstance(part, Busy):
            return
        part.set_head(stored)
        body = self.bodies.setdefault((stored.version, n), body_of(stored, n, size))
        self.fillings[worker].append(Filling(worker, part, stored, body))

    def fill(self, worker: int, key: bytes, n: int, size: int, at: int) -> None:
        self.begin_to_fill(worker, key, n, size)
        self.finish(worker, at, key, n)

    def write(self, worker: int, share: int) -> None:
        for each in self.fillings[worker]:
            piece = each.body[each.written : each.written + len(each.body) // share + 1]
            each.part.write(piece, each.written)
            each.written += len(piece)
            each.part.publish(each.written)

    def follow(self, worker: int) -> None:
        for each in self.fillings[1 - worker]:
            if each.follower is None:
                each.follower = PartFollower.open(each.part.path)

    def finish(self, worker: int, at: int, key: bytes, n: int) -> None:
        with Meeting(at, lambda: self.evict(1 - worker, key, n)):
            while self.fillings[worker]:
                self._finish_one(self.fillings[worker].pop(0))

    def _finish_one(self, each: Filling) -> None:
        rest = each.body[each.written :]
        each.part.write(rest, each.written)
        each.part.publish(len(each.body))
        if each.part.finish(each.stored, len(each.body)) and self.chance.random() < 0.3:
            self._keep_mapped(each)
        if each.follower is not None:
            follower, size = each.follower, len(each.body)
            assert os.pread(follower.fd, size, follower.body_offset or PAGE) == each.body
            follower.close()
        each.part.close()

    def _keep_mapped(self, each: Filling) -> None:
        """Read on from what was just written, as clients of the fill do."""
        part, end = each.part, each.part.body_offset + len(each.body)
        mapping = mmap.mmap(part.fd, end, prot=mmap.PROT_READ)
        part.is_shared = True
        reader = Reader(each.worker, each.body, -1, part.body_offset, mapping)
        self.readers.append(reader)

    def give_up(self, worker: int) -> None:
        for each in self.fillings[worker]:
            each.part.fail(b"broken")
            if each.follower is not None:
                each.follower.close()
            each.part.close()
        self.fillings[worker].clear()

    def open(self, worker: int, key: bytes, n: int, at: int, how: str) -> None:
        stored = self.current.get(key)
        if stored is None:
            return
        with Meeting(at, lambda: self.evict_and_fill(1 - worker, key, n)):
            found = self.stores[worker].open_slice(stored, n)
        if found is None:
            return
        assert isinstance(found, OpenSlice)
        reader = Reader(worker, self.bodies[stored.version, n], found.fd, found.offset)
        assert found.length == len(reader.body)
        self.readers.append(reader)
        if how == "file":
            return
        if how == "mapping":
            end = found.offset + found.length
            reader.mapping = mmap.mmap(found.fd, end, prot=mmap.PROT_READ)
        else:
            assert lend(found.fd)
            ours, reader.network = socket.socketpair()
            with ours:
                assert os.sendfile(ours.fileno(), found.fd, found.offset, found.length)
        os.close(found.fd)
        reader.fd = -1

    def close_readers(self, share: int) -> None:
        for reader in self.readers[::share]:
            reader.close()
            self.readers.remove(reader)

    # How slices leave.

    def evict_for_another(self, worker: int, key: bytes, n: int, size: int) -> None:
        self.evict(worker, key, n)
        self.fill(worker, b"s\nh/other", n, size, 99)

    def evict(self, worker: int, key: bytes, n: int) -> None:
        stored = self.current.get(key)
        if stored is not None:
            with self.stores[worker].transaction() as transaction:
                transaction.drop_slice(stored.version + n.to_bytes(4, "big"))

    def evict_and_fill(self, worker: int, key: bytes, n: int) -> None:
        """Its file is another slice's at once."""
        self.evict(worker, key, n)
        self.begin_to_fill(worker, b"s\nh/other", n, 2 * PAGE)
        while self.fillings[worker]:
            self._finish_one(self.fillings[worker].pop(0))

    def delete(self, worker: int, key: bytes) -> None:
        if key in self.current:
            self.stores[worker].delete(self.current[key])

    def purge(self, worker: int, key: bytes) -> None:
        self.stores[worker].purge(PurgeRule("url", key), durable=False)
        for _step in range(3):
            sweep.step(self.opened, 100, now=time.time(), keep_s=600.0)

    def kill(self, worker: int) -> None:
        """Die as by SIGKILL: the system closes what was open, and nothing else is done."""
        self.killed = True
        for each in self.fillings[worker]:
            part, each.part._spare = each.part, ""
            part.phase = part.phase.COMPLETE  # `close` has nothing left to do
            part.close()
            if each.follower is not None:
                each.follower.close()
        self.fillings[worker].clear()
        for each in self.fillings[1 - worker]:
            if each.follower is not None:
                each.follower.close()
                each.follower = None
        spares = self.stores[worker].spares._spares
        while spares:
            os.close(spares.pop()[0])
        for reader in [reader for reader in self.readers if reader.worker == worker]:
            reader.close()
            self.readers.remove(reader)
        self.recycled += self.stores[worker].spares.recycled
        self.stores[worker] = self.begun()

    def sweep_orphans(self) -> None:
        orphans_swept(self.opened)
        self.killed = False

    # What must hold.

    def each_reader_sees_its_own_body(self) -> None:
        for reader in self.readers:
            assert reader.sees() == reader.body

    def what_is_written_is_still_there(self) -> None:
        for each in [*self.fillings[0], *self.fillings[1]]:
            seen = os.pread(each.part.fd, each.written, each.part.body_offset)
            assert seen == each.body[: each.written]

    def index_and_disk_agree(self) -> None:
        store = self.opened
        with store.index.read() as transaction, transaction.cursor(store.index.slices) as cursor:
            rows = {
                slice_file(bytes(key)): SliceRow.unpacked(value).file_bytes
                for key, value in cursor
                if key[-4:] != b"\xff" * 4
            }
            alone = transaction.stat(store.index.slices)["entries"] - len(rows)
        files = {
            os.fspath(file.relative_to(store.objects)): in_pages(file.stat().st_size)
            for file in slice_files(self.path)
        }
        assert files == rows
        stats = store.stats()
        assert stats["bytes"] == sum(rows.values()) + alone * PAGE <= SIZE_BYTES
        assert stats["corrupt"] == stats["missing"] == 0

    def spare_files_are_counted_and_bounded(self) -> None:
        held = {os.path.basename(spare[1]) for each in self.stores for spare in each.spares._spares}
        used = {os.path.basename(each.part._spare) for line in self.fillings for each in line}
        there = set(os.listdir(self.path / SPARES))
        assert held <= there
        if not self.killed:
            assert there <= held | used
        for store in self.stores:
            taken = [os.fstat(spare[0]) for spare in store.spares._spares]
            assert all(found.st_nlink == 1 for found in taken)
            beyond = sum(max(0, found.st_blocks * 512 - PAGE) for found in taken)
            assert store.spares.held_bytes == beyond
            # Those of a page or two are bounded by their number.
            assert beyond <= 8 * PAGE + 64 * 15 * PAGE

    def close(self) -> None:
        """Give everything back."""
        for worker in (0, 1):
            self.give_up(worker)
        for reader in self.readers:
            reader.close()
        for store in self.stores:
            store.close()
        self.opened.close()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_is_what_was_stored(tmp_path: Path, seed: int) -> None:
    scene = Scene(tmp_path, seed)
    try:
        for _step in range(STEPS):
            scene.step()
            scene.check()
        assert scene.recycled + sum(store.spares.recycled for store in scene.stores) > 10
    finally:
        scene.close()
