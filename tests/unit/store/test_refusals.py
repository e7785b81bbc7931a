"""Whether the disk takes what is written: one refusal says no, a trial after a while says yes."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from types import SimpleNamespace

import lmdb
import pytest

from headrace.store import Store, StoreError, StoreFull
from headrace.store.index import damaged
from headrace.store.maintenance.trial import try_disk
from headrace.store.refusals import CLEAR_AFTER_S, Cause, Refusal, cause_of, refused, tried
from headrace.store.shared_memory import SharedState
from tests.unit.store.samples import a_store

KNOWN = Refusal(100.0, 120.0, Cause.FULL)


def full(cause: Exception | None) -> StoreFull:
    error = StoreFull("the index")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.ENOSPC, "full"), Cause.FULL),
        (OSError(errno.EDQUOT, "quota"), Cause.FULL),
        (OSError(errno.EROFS, "read-only"), Cause.READ_ONLY),
        (OSError(errno.EIO, "broken"), Cause.FAILS),
        (OSError(errno.EACCES, "not ours"), Cause.FAILS),
        (full(lmdb.MapFullError("the map")), Cause.INDEX_FULL),
        (full(lmdb.DiskError("the disk")), Cause.FULL),
        (full(OSError(errno.EIO, "broken")), Cause.FAILS),
        (full(None), Cause.FULL),
        (OSError(errno.EMFILE, "no descriptor"), None),
        (OSError("a part that ends early"), None),
        (StoreError("this object is too large"), None),
    ],
)
def test_what_an_error_says_of_the_disk(error: Exception, cause: Cause | None) -> None:
    assert cause_of(error) is cause


def test_it_is_since_the_first_refusal() -> None:
    first = refused(None, Cause.FULL, 100.0)
    assert refused(first, Cause.READ_ONLY, 130.0) == Refusal(100.0, 130.0, Cause.READ_ONLY)


def test_a_trial_that_went_well_ends_it_a_while_after_the_last_refusal() -> None:
    soon, later = 119.0 + CLEAR_AFTER_S, 120.0 + CLEAR_AFTER_S
    assert tried(KNOWN, None, soon) == KNOWN
    assert tried(KNOWN, None, later) is None
    assert tried(KNOWN, Cause.FAILS, later) == Refusal(100.0, later, Cause.FAILS)


def test_a_damaged_index_stays_so_until_it_is_made_anew() -> None:
    damage = refused(KNOWN, Cause.INDEX_DAMAGED, 130.0)
    assert damage == Refusal(100.0, 130.0, Cause.INDEX_DAMAGED)
    assert damage.words == "the store fails in part: its index is damaged; a restart rebuilds it"
    assert tried(damage, None, 1000.0) == damage
    assert refused(damage, Cause.FULL, 140.0) == Refusal(100.0, 140.0, Cause.INDEX_DAMAGED)


def test_what_damage_is_and_what_is_want_of_something() -> None:
    damage = (lmdb.CorruptedError("page"), lmdb.PageNotFoundError("page"), struct.error("row"))
    assert {cause_of(damaged(error)) for error in damage} == {Cause.INDEX_DAMAGED}
    want = (lmdb.ReadersFullError("readers"), lmdb.MemoryError("memory"))
    assert {cause_of(damaged(error)) for error in want} == {None}


def test_all_processes_know_it(tmp_path: Path) -> None:
    one, other = (SharedState(tmp_path / "state") for _ in range(2))
    assert other.refusal() is None
    one.set_refusal(KNOWN)
    assert other.refusal() == KNOWN
    other.set_refusal(None)
    assert one.refusal() is None
    one.close()
    other.close()


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    def fail(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)


def left_by(store: Store) -> list[Path]:
    return [path for path in (store.path / "spares").iterdir() if path.is_file()]


def test_a_disk_that_takes_all_is_tried_and_nothing_is_left(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        assert try_disk(store) is None
        assert left_by(store) == []


@pytest.mark.parametrize(
    ("call", "number", "cause"),
    [
        ("posix_fallocate", errno.ENOSPC, Cause.FULL),
        ("open", errno.EROFS, Cause.READ_ONLY),
        ("pwrite", errno.EIO, Cause.FAILS),
        ("fdatasync", errno.EIO, Cause.FAILS),
        ("open", errno.EMFILE, Cause.FAILS),
    ],
)
def test_a_disk_that_takes_nothing_is_found_by_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, cause: Cause
) -> None:
    with a_store(tmp_path) as store:
        with monkeypatch.context() as patched:
            refuse(patched, call, number)
            assert try_disk(store) is cause
        assert left_by(store) == []
        assert try_disk(store) is None


def test_an_index_without_room_is_found_by_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(**_options: object) -> None:
        raise lmdb.MapFullError("the map")

    with a_store(tmp_path) as store:
        with monkeypatch.context() as patched:
            patched.setattr(
                store.index, "env", SimpleNamespace(begin=begin, info=store.index.env.info)
            )
            assert try_disk(store) is Cause.INDEX_FULL
        assert try_disk(store) is None
