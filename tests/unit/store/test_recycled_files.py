"""Files of evicted slices that are used again: never under one who still reads from them."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from headrace.cache.record import StoredResponse
from headrace.edge.worker import store_settings
from headrace.store import OpenSlice, Part, PartFollower, Store, lend
from headrace.store import locks as store_locks
from headrace.store.header import FOLLOWED_AT
from headrace.store.index import Change
from headrace.store.layout import SPARES
from headrace.store.spare_files import MOST, limit_for
from tests.harness.interleaved.ground import configured
from tests.unit.store.samples import (
    MIB,
    a_record,
    a_store,
    body_of,
    fill,
    orphans_swept,
    slice_files,
)

SIZE_BYTES = 64 * MIB  # its spare files may take one MiB
BODY_BYTES = 60_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path, SIZE_BYTES, checksum_on_open=True) as opened:
        yield opened


def a_slice(name: str, length: int = BODY_BYTES) -> StoredResponse:
    return a_record(b"s\nh/" + name.encode(), version=name, length=length)


def body(name: str, length: int = BODY_BYTES) -> bytes:
    return (name.encode() * length)[:length]


def filled(store: Store, name: str, length: int = BODY_BYTES) -> StoredResponse:
    stored = a_slice(name, length)
    assert fill(store, stored, body(name, length))
    return stored


def opened(store: Store, stored: StoredResponse) -> OpenSlice:
    found = store.open_slice(stored, 0)
    assert isinstance(found, OpenSlice)
    return found


def inode_of(store: Store) -> int:
    (file,) = slice_files(store.path)
    return file.stat().st_ino


def open_inodes() -> set[int]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one that listed them
            found.add(os.fstat(int(number)).st_ino)
    return found


def spares(store: Store) -> list[Path]:
    return list((store.path / SPARES).iterdir())


def test_the_next_slice_is_written_over_an_evicted_one(store: Store) -> None:
    first = filled(store, "first")
    number = inode_of(store)
    store.delete(first)
    (spare,) = spares(store)
    assert spare.stat().st_ino == number
    second = filled(store, "second")
    assert inode_of(store) == number
    assert spares(store) == list(store.parts.iterdir()) == []
    assert slice_files(store.path)[0].stat().st_nlink == 1
    assert body_of(store, second) == body("second")
    assert body_of(store, first) is None
    assert store.spares.recycled == 1


@pytest.mark.parametrize("length", [3, 5_000, 64_000])
def test_it_may_be_shorter_or_longer(store: Store, length: int) -> None:
    store.delete(filled(store, "first"))
    second = filled(store, "second", length)
    assert body_of(store, second) == body("second", length)
    assert store.stats()["corrupt"] == 0


def test_not_under_one_who_has_it_open(store: Store) -> None:
    first = filled(store, "first")
    reader = opened(store, first)
    store.delete(first)
    assert spares(store) == slice_files(store.path) == []
    filled(store, "second")
    assert os.pread(reader.fd, reader.length, reader.offset) == body("first")
    os.close(reader.fd)


def test_not_under_one_who_has_it_mapped(store: Store) -> None:
    first = filled(store, "first")
    reader = opened(store, first)
    mapping = mmap.mmap(reader.fd, reader.offset + reader.length, prot=mmap.PROT_READ)
    os.close(reader.fd)
    store.delete(first)
    assert spares(store) == []
    filled(store, "second")
    assert mapping[reader.offset :] == body("first")


def test_not_under_what_its_writer_has_mapped(store: Store) -> None:
    first = a_slice("first")
    part = store.begin_part(b"first", 0)
    assert isinstance(part, Part)
    part.set_head(first)
    part.write(body("first"), 0)
    mapping = mmap.mmap(part.fd, 0, prot=mmap.PROT_READ)
    part.is_shared = True
    assert part.finish(first, BODY_BYTES)
    at = part.body_offset
    part.close()
    store.delete(first)
    assert spares(store) == []
    filled(store, "second")
    assert mapping[at : at + BODY_BYTES] == body("first")


def test_not_when_another_process_followed_its_part(store: Store) -> None:
    first = a_slice("first")
    part = store.begin_part(b"first", 0)
    assert isinstance(part, Part)
    follower = PartFollower.open(part.path)
    assert follower is not None
    follower.close()  # what it has mapped may be sent for long
    part.set_head(first)
    part.write(body("first"), 0)
    assert part.finish(first, BODY_BYTES)
    part.close()
    store.delete(first)
    assert spares(store) == []


def test_one_who_opens_it_in_between_finds_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled(store, "first")
    number = inode_of(store)
    follow = store_locks.follow

    def evicted_first(fd: int) -> None:
        monkeypatch.setattr(store_locks, "follow", follow)
        store.delete(first)
        filled(store, "second")
        follow(fd)

    monkeypatch.setattr(store_locks, "follow", evicted_first)
    assert store.open_slice(first, 0) is None
    assert inode_of(store) == number
    assert store.stats()["missing"] == 0


def test_one_who_opens_it_just_before_keeps_it(store: Store) -> None:
    first = filled(store, "first")
    rename = os.rename
    readers = []

    def opened_first(source: str, target: str) -> None:
        readers.append(opened(store, first))
        rename(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", opened_first)
        claimed = store.spares.claim(os.fspath(slice_files(store.path)[0]))
    assert claimed is not None
    store.spares.settle(claimed)
    assert spares(store) == []
    filled(store, "second")
    (reader,) = readers
    assert os.pread(reader.fd, reader.length, reader.offset) == body("first")
    os.close(reader.fd)


def test_not_what_the_network_may_still_read_from(store: Store) -> None:
    first = filled(store, "first")
    reader = opened(store, first)
    lend(reader.fd)
    os.close(reader.fd)
    assert body_of(store, first) == body("first")
    store.delete(first)
    assert spares(store) == slice_files(store.path) == []


@pytest.mark.parametrize("how", ["lent", "followed"])
def test_the_room_of_what_is_not_kept_is_given_back_when_others_can_write(
    store: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    first = filled(store, "first")
    (file,) = slice_files(store.path)
    fd = os.open(file, os.O_RDWR)
    if how == "lent":
        lend(fd)
    else:
        os.pwrite(fd, b"1", FOLLOWED_AT)
    number = os.fstat(fd).st_ino
    os.close(fd)
    open_at_commit = []
    put_totals = Change.put_totals

    def last_of_all(change: Change) -> None:
        put_totals(change)
        if not file.exists():
            open_at_commit.append(number in open_inodes())

    monkeypatch.setattr(Change, "put_totals", last_of_all)
    store.delete(first)
    assert open_at_commit == [True]
    assert number not in open_inodes()


def test_a_file_that_there_is_no_room_for_is_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled(store, "first")
    monkeypatch.setattr(store.spares, "_limit_bytes", 0)

    def read(*_args: object) -> bytes:
        raise AssertionError("read, in a write transaction")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", read)
        store.delete(first)
    assert slice_files(store.path) == []


def test_what_is_read_of_it_holds_up_no_one_who_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled(store, "first")
    read, put_totals = os.pread, Change.put_totals
    reads: list[int] = []
    reads_by_commit: list[int] = []

    def reading(fd: int, length: int, at: int) -> bytes:
        reads.append(at)
        return read(fd, length, at)

    def last_of_all(change: Change) -> None:
        put_totals(change)
        reads_by_commit.append(len(reads))

    monkeypatch.setattr(Change, "put_totals", last_of_all)
    monkeypatch.setattr(os, "pread", reading)
    store.delete(first)
    assert reads_by_commit[-1] == 0
    assert reads
    assert len(spares(store)) == 1


def test_not_what_is_no_slice(store: Store) -> None:
    first = filled(store, "first")
    slice_files(store.path)[0].write_bytes(b"x" * BODY_BYTES)
    store.delete(first)
    assert spares(store) == slice_files(store.path) == []


def test_what_they_take_is_bounded(store: Store, tmp_path: Path) -> None:
    for many in (MOST + 4, 5):
        kept = [filled(store, f"{many}-{number}") for number in range(many)]
        for stored in kept:
            store.delete(stored)
        assert 0 < len(spares(store)) < MOST
        assert 0 < store.spares.held_bytes <= limit_for(store.settings)
        assert slice_files(tmp_path) == []


def test_a_small_store_keeps_no_large_ones(tmp_path: Path) -> None:
    with a_store(tmp_path, MIB, slice_bytes=256 * 1024, checksum_on_open=True) as store:
        store.delete(filled(store, "first", 200_000))
        assert spares(store) == slice_files(tmp_path) == []


def test_who_writes_nothing_keeps_nothing(tmp_path: Path) -> None:
    with a_store(tmp_path, SIZE_BYTES, checksum_on_open=True) as store:
        first = filled(store, "first")
    with a_store(tmp_path, SIZE_BYTES, checksum_on_open=True) as other:
        other.delete(first)
        assert spares(other) == slice_files(tmp_path) == []


def test_small_bodies_give_it_back(tmp_path: Path) -> None:
    with a_store(tmp_path, SIZE_BYTES, inline_bytes=100, checksum_on_open=True) as store:
        store.delete(filled(store, "first"))
        held_bytes = store.spares.held_bytes
        small = filled(store, "small", 50)
        assert body_of(store, small) == body("small", 50)
        assert len(spares(store)) == 1
        assert store.spares.held_bytes == held_bytes > 0


def test_without_checksums_nothing_is_written_over(tmp_path: Path) -> None:
    """A crash of the operating system could bring back the name, with another body under it."""
    with a_store(tmp_path, SIZE_BYTES, checksum_on_open=False) as store:
        filled(store, "before")
        store.delete(filled(store, "evicted"))
        assert spares(store) == []


@pytest.mark.parametrize("checked", [True, False])
def test_a_name_goes_before_another_can_fill_the_slice_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, checked: bool
) -> None:
    """Else the file that goes may be the one that was filled since."""
    with a_store(tmp_path, SIZE_BYTES, checksum_on_open=checked) as store:
        first = filled(store, "first")
        (file,) = slice_files(store.path)
        others_see = []

        def watched(does: Callable[..., None]) -> Callable[..., None]:
            def do(path: str, *more: str) -> None:
                if os.fspath(path) == os.fspath(file):
                    others_see.append(store.has_slice(first.version, 0))
                does(path, *more)

            return do

        monkeypatch.setattr(os, "rename", watched(os.rename))
        monkeypatch.setattr(os, "unlink", watched(os.unlink))
        store.delete(first)
        assert others_see == [True]
        assert not store.has_slice(first.version, 0)
        assert slice_files(store.path) == []


def test_what_the_disk_does_not_remove_is_told_and_left_to_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_store(tmp_path, SIZE_BYTES) as store:
        first = filled(store, "first")

        def refused(path: str) -> None:
            raise PermissionError(errno.EPERM, "not permitted", path)

        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", refused)
            with pytest.raises(PermissionError):
                store.delete(first)
        assert not store.has_slice(first.version, 0)
        assert store.stats()["bytes"] == 0
        orphans_swept(store)
        assert slice_files(store.path) == []


@pytest.mark.parametrize("checksum", ["on_open", "off"])
def test_workers_write_over_files_where_they_verify_bodies(tmp_path: Path, checksum: str) -> None:
    config = configured(tmp_path, {}, store={"size": "64MiB", "checksum": checksum})
    assert (limit_for(store_settings(config)) > 0) is (checksum == "on_open")
