"""That the disk takes nothing is said once, and once that it does again."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from headrace.config import Config
from headrace.edge.admin.own_store import OwnStore
from headrace.edge.admin.store_thread import StoreThread
from headrace.edge.admin.store_watch import StoreWatch
from headrace.errors import HeadraceError
from headrace.store import Store
from headrace.store.errors import IndexDamaged
from headrace.store.refusals import CLEAR_AFTER_S, Cause, refused
from tests.harness.fake_store import FakeStore
from tests.unit.store.samples import a_store


class Looked(FakeStore):
    """Counts how often it was asked, and fails when it is told to."""

    looks = 0
    broken = False

    def refusal(self) -> str:
        self.looks += 1
        if self.broken:
            raise HeadraceError("the index is gone")
        return super().refusal()


async def watched(thread: StoreThread, watch: StoreWatch, problem: str, store: Looked) -> None:
    looks = store.looks
    async with asyncio.timeout(30):
        while store.looks < looks + 3:  # noqa: ASYNC110 (it is counted in another thread)
            await asyncio.sleep(0.005)
    assert watch.problem == problem


def test_it_is_said_once() -> None:
    async def go() -> None:
        store = Looked()

        def opener(_config: Config) -> FakeStore:
            return store

        thread = await StoreThread.open(opener, None)  # type: ignore[arg-type]  # not looked at
        watch = StoreWatch(thread, Path("/cache"), period_s=0.005)
        await watched(thread, watch, "", store)
        store.refuses = "the disk is full"
        await watched(thread, watch, "the disk is full", store)
        store.broken = True
        await watched(thread, watch, "its disk cannot be tried: the index is gone", store)
        store.refuses, store.broken = "", False
        await watched(thread, watch, "", store)
        await watch.close()
        await thread.close()

    with capture_logs() as lines:
        asyncio.run(go())
    said = [(line["event"], line["log_level"], line["cache_dir"]) for line in lines]
    assert said == [
        ("store_refuses", "warning", "/cache"),
        ("store_takes_again", "info", "/cache"),
    ]


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now_s = time.monotonic()

    def __call__(self) -> float:
        return self.now_s


def test_a_refusal_ends_by_a_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    claim = Store.claim(tmp_path)
    with a_store(tmp_path) as store:
        own, shared = OwnStore(claim, store, monotonic=clock), store.state
        assert (own.refusal(), own.stats()["refuses"]) == ("", 0.0)
        shared.set_refusal(refused(None, Cause.FULL, clock.now_s))
        with monkeypatch.context() as patched:
            patched.setattr(os, "posix_fallocate", no_room)
            for _ in range(10):
                clock.now_s += CLEAR_AFTER_S
                assert own.refusal() == "the store takes nothing new: the disk is full"
        assert (own.stats()["refuses"], own.stats()["refuses_s"]) == (1.0, 10 * CLEAR_AFTER_S)
        clock.now_s += CLEAR_AFTER_S - 1
        assert own.refusal() != ""
        shared.set_refusal(refused(shared.refusal(), Cause.FULL, clock.now_s))
        clock.now_s += 2
        assert own.refusal() != ""
        clock.now_s += CLEAR_AFTER_S
        assert (own.refusal(), own.stats()["refuses_s"]) == ("", 0.0)
    claim.release()


def test_what_a_former_run_met_is_forgotten(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        store.state.set_refusal(refused(None, Cause.FULL, time.monotonic()))
        claim = Store.claim(tmp_path)
        assert OwnStore(claim, store).stats()["refuses"] == 0.0
        claim.release()


def test_a_damaged_index_is_told_until_a_start_makes_it_anew(tmp_path: Path) -> None:
    told = "the store fails in part: its index is damaged; a restart rebuilds it"
    claim = Store.claim(tmp_path)
    with a_store(tmp_path) as store:
        own = OwnStore(claim, store)
        with store.index.write() as change:
            change.put(change.index.rules, b"?", b"?")
            change.put(change.index.superseded, b"?", b"?")
        with pytest.raises(IndexDamaged):
            own.sweep()
        assert own.refusal() == told
        assert OwnStore(claim, store).refusal() == told
    with a_store(tmp_path) as store:
        assert OwnStore(claim, store).refusal() == ""
    claim.release()


def no_room(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
