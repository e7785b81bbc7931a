"""Processes that share a store: one fills, others follow, purges reach everybody."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.store import Busy, Part, PartFollower, PartPhase, PurgeRule, Store
from headrace.store.layout import digest
from tests.integration.store.filler import BODY
from tests.integration.store.processes import end, said, start, tell
from tests.integration.store.samples import a_response, fill_slice, open_store

FOLLOWED = digest(b"service\nhost/followed")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def follow(store: Store, name: bytes) -> PartFollower:
    busy = store.begin_part(name, 0)
    assert isinstance(busy, Busy)
    follower = PartFollower.open(busy.path)
    assert follower is not None
    return follower


def test_a_follower_in_another_process_reads_to_the_end(store: Store, tmp_path: Path) -> None:
    filler = start("filler", str(tmp_path), "name")
    try:
        assert said(filler) == "part"
        follower = follow(store, b"name")
        assert os.pread(follower.fd, follower.written, follower.body_offset) == BODY[:11]
        assert follower.alive()
        tell(filler, "finish")
        while follower.poll() is PartPhase.BODY:
            time.sleep(0.001)
        assert follower.phase is PartPhase.COMPLETE
        assert os.pread(follower.fd, follower.written, follower.body_offset) == BODY
        follower.close()
        assert store.lookup(FOLLOWED, b"") is not None
    finally:
        end(filler)


def test_when_the_holder_is_killed_another_takes_over(store: Store, tmp_path: Path) -> None:
    filler = start("filler", str(tmp_path), "name")
    try:
        assert said(filler) == "part"
        follower = follow(store, b"name")
    finally:
        end(filler)
    assert not follower.alive()
    assert follower.poll() is PartPhase.BODY
    successor = store.begin_part(b"name", 0)
    assert isinstance(successor, Part)
    successor.close()
    follower.close()
    assert store.lookup(FOLLOWED, b"") is None


def test_of_many_that_begin_one_part_exactly_one_has_it(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    fillers = [start("filler", str(tmp_path), "name") for _ in range(6)]
    try:
        answers = [said(filler) for filler in fillers]
    finally:
        for filler in fillers:
            end(filler)
    assert sorted(answers) == ["busy"] * 5 + ["part"]


def test_a_purge_in_one_process_is_seen_by_another_at_its_next_lookup(
    store: Store, tmp_path: Path
) -> None:
    stored = a_response(b"service\nhost/a", b"body")
    fill_slice(store, stored, 0, b"body")
    before = store.generation()
    assert store.lookup(digest(stored.key), b"") is not None
    purger = start("purger", str(tmp_path), "service\nhost/a")
    try:
        assert said(purger) == str(before + 1)
    finally:
        end(purger)
    assert store.generation() == before + 1
    assert store.lookup(digest(stored.key), b"") is None
    assert store.rules_since(before)[0].value == b"service\nhost/a"


def test_purges_of_several_processes_get_different_numbers(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    purgers = [start("purger", str(tmp_path), f"service\nhost/{n}", "50") for n in range(3)]
    try:
        numbers = [said(purger) for purger in purgers for _ in range(50)]
    finally:
        for purger in purgers:
            end(purger)
    assert len(set(numbers)) == 150
    assert store.generation() == 150
    assert len(store.rules_since(0)) == 150
    store.purge(PurgeRule("all"))
    store.close()
