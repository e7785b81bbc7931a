"""Opening: whose directory it is, whether the index can be believed, and how it is made anew."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from headrace.cache.record import StoredFlag
from headrace.store import (
    Part,
    PurgeRule,
    Store,
    StoreError,
    StoreInUse,
    StoreSettings,
    directory_lock,
    locks,
)
from headrace.store.directory_lock import Mark, read_mark, write_mark
from headrace.store.errors import IndexDamaged
from headrace.store.layout import FORMAT, OPEN_LOCK, STATE
from headrace.store.maintenance.orphans import OrphanSweep
from headrace.store.refusals import Cause, refused
from headrace.store.shared_memory import SharedState
from tests.unit.store.samples import (
    KEY,
    a_record,
    a_store,
    body_of,
    fill,
    find,
    orphans_swept,
    rebuilt,
    slice_files,
    swept,
)


def after_a_system_crash(path: Path) -> None:
    """The next boot finds a directory that nobody closed."""
    write_mark(path, Mark(FORMAT, "an earlier boot", clean=False))
    (path / "state").unlink()


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    claim = Store.claim(tmp_path)
    with pytest.raises(StoreInUse, match="another edge"):
        Store.claim(tmp_path)
    claim.release()
    Store.claim(tmp_path).release()


def test_another_format_is_refused_with_a_remedy(tmp_path: Path) -> None:
    write_mark(tmp_path, Mark(FORMAT + 1, "any", clean=True))
    with pytest.raises(StoreError, match="another cache_dir"):
        Store.open(tmp_path, StoreSettings(size_bytes=2**20))


def test_an_unreadable_mark_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_bytes(b"{")
    with pytest.raises(StoreError, match="remove it"):
        Store.open(tmp_path, StoreSettings(size_bytes=2**20))


def test_another_slice_size_leaves_older_records_valid(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
    with a_store(tmp_path, slice_bytes=128 * 1024) as store:
        assert find(store, stored) == stored


def test_a_clean_end_is_believed_after_the_next_boot(tmp_path: Path) -> None:
    stored = a_record()
    claim = Store.claim(tmp_path)
    with a_store(tmp_path) as store:
        fill(store, stored)
    claim.release()
    mark = read_mark(tmp_path)
    assert mark is not None
    assert mark.clean
    write_mark(tmp_path, msgspec.structs.replace(mark, boot_id="an earlier boot"))
    with a_store(tmp_path) as store:
        assert find(store, stored) == stored


def test_an_end_is_not_clean_while_a_process_has_the_store_open(tmp_path: Path) -> None:
    claim = Store.claim(tmp_path)
    with a_store(tmp_path) as store:
        fill(store, a_record())
        worker = SharedState(tmp_path / STATE)
    claim.release()
    mark = read_mark(tmp_path)
    assert mark is not None
    assert not mark.clean
    worker.close()
    Store.claim(tmp_path).release()
    mark = read_mark(tmp_path)
    assert mark is not None
    assert mark.clean


def test_an_end_is_not_clean_when_a_process_is_just_opening_the_store(tmp_path: Path) -> None:
    claim = Store.claim(tmp_path)
    with a_store(tmp_path) as store:
        fill(store, a_record())
    opener = locks.open_lock_file(tmp_path / OPEN_LOCK)
    assert locks.try_lock(opener)
    claim.release()
    os.close(opener)
    mark = read_mark(tmp_path)
    assert mark is not None
    assert not mark.clean


def test_nobody_opens_the_store_while_the_clean_mark_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Store.claim(tmp_path)
    with a_store(tmp_path) as store:
        fill(store, a_record())
    locked = []

    def looked_first(path: Path, mark: Mark) -> None:
        opener = locks.open_lock_file(path / OPEN_LOCK)
        locked.append(locks.is_locked(opener))
        os.close(opener)
        write_mark(path, mark)

    monkeypatch.setattr(directory_lock, "write_mark", looked_first)
    claim.release()
    assert locked == [True]


def test_an_opened_directory_is_not_clean(tmp_path: Path) -> None:
    Store.claim(tmp_path).release()
    with a_store(tmp_path):
        mark = read_mark(tmp_path)
        assert mark is not None
        assert not mark.clean


def test_after_a_system_crash_the_index_is_made_again(tmp_path: Path) -> None:
    stored = a_record(length=65_541)
    with a_store(tmp_path) as store:
        fill(store, stored, b"x" * 65_536, n=0)
        fill(store, stored, n=1)
        before = store.stats()
    after_a_system_crash(tmp_path)
    with a_store(tmp_path) as store:
        assert find(store, stored) is None
        assert store.stats()["rebuilding"] == 1
        rebuilt(store)
        assert find(store, stored) == stored
        assert body_of(store, stored, 1) == b"hello"
        after = store.stats()
        assert (after["bytes"], after["slices"], after["rebuilding"]) == (before["bytes"], 2, 0)


@pytest.mark.parametrize("at", [4096 + 2, 0, 130])
def test_a_file_that_does_not_verify_is_not_taken_back(tmp_path: Path, at: int) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
    (file,) = slice_files(tmp_path)
    text = bytearray(file.read_bytes())
    text[at] ^= 0xFF
    file.write_bytes(text)
    after_a_system_crash(tmp_path)
    with a_store(tmp_path) as store:
        rebuilt(store)
        assert find(store, stored) is None
        assert slice_files(tmp_path) == []


def test_purges_outlive_the_index(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        (file,) = slice_files(tmp_path)
        text = file.read_bytes()
        generation = store.purge(PurgeRule("url", KEY))
    file.write_bytes(text)
    after_a_system_crash(tmp_path)
    with a_store(tmp_path) as store:
        rebuilt(store)
        assert find(store, stored) is None
        assert store.generation() >= generation


def test_what_is_older_than_a_forgotten_purge_comes_back_stale(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        store.purge(PurgeRule("url", KEY, soft=True))
        swept(store, keep_s=0.0)
        assert store.stats()["rules"] == 0
    after_a_system_crash(tmp_path)
    with a_store(tmp_path) as store:
        rebuilt(store)
        found = find(store, stored)
        assert found is not None
        assert found.flags & StoredFlag.INVALIDATED


def test_generations_are_not_used_twice_after_a_system_crash(tmp_path: Path) -> None:
    stored = a_record(generation=7)
    with a_store(tmp_path) as store:
        fill(store, stored)
    after_a_system_crash(tmp_path)
    with a_store(tmp_path) as store:
        rebuilt(store)
        assert store.purge(PurgeRule("url", KEY)) > 7
        assert find(store, stored) is None


def test_what_was_filled_during_the_rebuild_stays(tmp_path: Path) -> None:
    old = a_record(version="old")
    with a_store(tmp_path) as store:
        fill(store, old)
    after_a_system_crash(tmp_path)
    with a_store(tmp_path) as store:
        new = a_record(version="new", response_time=2000.0)
        fill(store, new)
        rebuilt(store)
        assert find(store, new) == new
        assert len(slice_files(tmp_path)) == 1


@pytest.mark.parametrize("text", [b"", b"not an index" * 1000])
def test_a_damaged_index_is_made_again(tmp_path: Path, text: bytes) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
    (tmp_path / "index" / "data.mdb").write_bytes(text)
    with a_store(tmp_path) as store:
        rebuilt(store)
        assert find(store, stored) == stored


def found_damaged(store: Store) -> None:
    store.state.set_refusal(refused(None, Cause.INDEX_DAMAGED, 1.0))


def test_an_index_that_a_process_found_damaged_is_made_again(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        found_damaged(store)
    with a_store(tmp_path) as store:
        assert store.stats()["rebuilding"]
        assert store.state.refusal() is None
        rebuilt(store)
        assert find(store, stored) == stored


def test_an_index_that_others_use_is_not_made_again(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        found_damaged(store)
        others = SharedState(tmp_path / STATE)
    with a_store(tmp_path) as store:  # as a worker that takes the place of one that died
        assert not store.stats()["rebuilding"]
        assert find(store, stored) == stored
        assert store.state.refusal() is not None
    others.close()


def test_a_row_that_makes_no_sense_is_damage(store: Store) -> None:
    with store.index.write() as change:
        change.put(change.index.ghost, b"\0" * 8, b"?")
    with pytest.raises(IndexDamaged), store.transaction() as transaction:
        transaction.queues.ghost_trim(1)


def test_a_missing_index_is_made_again(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
    for file in (tmp_path / "index").iterdir():
        file.unlink()
    with a_store(tmp_path) as store:
        rebuilt(store)
        assert body_of(store, stored) == b"hello"


def test_files_without_an_index_entry_are_removed(store: Store) -> None:
    fill(store, a_record())
    (file,) = slice_files(store.path)
    (file.parent / f"{'ab' * 16}-0").write_bytes(b"renamed, never indexed")
    (file.parent / "foreign").write_bytes(b"")
    orphans_swept(store)
    assert slice_files(store.path) == [file]
    assert store.stats()["orphans"] == 2


def test_nothing_is_an_orphan_before_the_rebuild_is_done(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        fill(store, a_record())
    after_a_system_crash(tmp_path)
    with a_store(tmp_path) as store:
        assert not OrphanSweep(store).step(10_000)
        assert len(slice_files(tmp_path)) == 1


def test_parts_of_the_dead_are_removed_and_those_of_the_living_are_not(store: Store) -> None:
    dead, alive = store.begin_part(b"dead", 0), store.begin_part(b"alive", 0)
    assert isinstance(dead, Part)
    assert isinstance(alive, Part)
    locks.unlock(dead.fd)
    OrphanSweep(store).step(1)
    assert not os.path.exists(dead.path)
    assert os.path.exists(alive.path)
    dead.close()
    alive.close()


@pytest.mark.parametrize("former_mode", [None, 0o600])
def test_the_index_is_a_directory_that_its_owner_may_enter(
    tmp_path: Path, former_mode: int | None
) -> None:
    """The owner need not be root, whom the mode does not keep out."""
    if former_mode is not None:
        (tmp_path / "index").mkdir()
        (tmp_path / "index").chmod(former_mode)
    with a_store(tmp_path):
        pass
    assert (tmp_path / "index").stat().st_mode & 0o777 == 0o700
