"""Several processes work on one store and are killed at any moment; what remains is whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from headrace.store import Part, Store
from headrace.store.maintenance.orphans import OrphanSweep
from tests.integration.store.processes import end, said, start
from tests.integration.store.samples import (
    CAPACITY_BYTES,
    a_response,
    everything_verifies,
    fill_slice,
    open_store,
)

WORKERS = 3
KILLS = 24


class Workers:
    """Worker processes that are replaced when they are killed."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._path = path
        self._chance = chance
        self._running = [self._start() for _ in range(WORKERS)]

    def _start(self) -> subprocess.Popen[bytes]:
        worker = start("worker", os.fspath(self._path), str(self._chance.randrange(10**6)))
        assert said(worker) == "begun"
        return worker

    def kill_one(self) -> None:
        """Kill a random one and start another in its place."""
        at = self._chance.randrange(WORKERS)
        self._kill(self._running[at])
        self._running[at] = self._start()

    def kill_all(self) -> None:
        for worker in self._running:
            self._kill(worker)

    def _kill(self, worker: subprocess.Popen[bytes]) -> None:
        assert end(worker) == -signal.SIGKILL, "a worker read what nobody stored, or failed"


@pytest.mark.timeout(300)  # it starts 27 processes, one after the other
@pytest.mark.parametrize("seed", [1])
def test_after_any_kill_all_that_is_served_is_whole(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    workers = Workers(tmp_path, chance)
    try:
        for _ in range(KILLS):
            time.sleep(chance.random() * 0.2)
            workers.kill_one()
    finally:
        workers.kill_all()
    store = open_store(tmp_path)
    try:
        assert everything_verifies(store) > 0
        assert store.stats()["corrupt"] == 0
        assert_bounded_and_tidy(store)
        assert_usable(store)
    finally:
        store.close()


def assert_bounded_and_tidy(store: Store) -> None:
    """No more bytes than allowed, and after the orphans are gone the disk holds just these."""
    orphans = OrphanSweep(store)
    while orphans.step(10_000):
        pass
    used = store.stats()["bytes"]
    files = [file for file in (store.path / "objects").rglob("*") if file.is_file()]
    assert sum(-(-file.stat().st_size // 4096) * 4096 for file in files) <= used <= CAPACITY_BYTES
    assert list(store.parts.iterdir()) == []


def assert_usable(store: Store) -> None:
    """Nobody's death left a lock behind."""
    stored = a_response(b"service\nhost/new", b"new", store.generation())
    assert fill_slice(store, stored, 0, b"new")
    part = store.begin_part(b"any", 0)
    assert isinstance(part, Part)
    part.close()
    for number in range(60):
        assert store.permit(b"service\nhost/%d" % number) is not None
