from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.simulate.stores import Store, make_store

POLICIES = ("s3-fifo", "lru", "fifo")
EACH = pytest.mark.parametrize("policy", POLICIES)


def ask(store: Store, entry: int, size_bytes: int) -> bool:
    if entry in store.held:
        store.touch(entry)
        return True
    store.insert(entry, size_bytes)
    return False


@EACH
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), max_size=300))
def test_a_store_never_holds_more_than_it_may_and_counts_what_it_holds(
    policy: str, asked: list[tuple[int, int]]
) -> None:
    store = make_store(policy, 100)
    sizes: dict[int, int] = {}
    for entry, size_bytes in asked:
        sizes.setdefault(entry, size_bytes)
        ask(store, entry, sizes[entry])
        assert store.used_bytes == sum(sizes[held] for held in store.held)
        assert store.used_bytes <= 100


@EACH
def test_what_takes_more_than_half_of_a_store_is_refused(policy: str) -> None:
    store = make_store(policy, 100)
    store.insert(1, 51)
    assert not store.held


def test_least_recently_used_leaves_first() -> None:
    store = make_store("lru", 2)
    for entry in (1, 2, 1, 3):
        ask(store, entry, 1)
    assert set(store.held) == {1, 3}


def test_oldest_leaves_first_however_often_it_was_asked_for() -> None:
    store = make_store("fifo", 2)
    for entry in (1, 2, 1, 3):
        ask(store, entry, 1)
    assert set(store.held) == {2, 3}


def test_a_scan_does_not_push_out_what_is_popular_in_a_store_as_edges_have_it() -> None:
    store = make_store("s3-fifo", 10)
    for _ in range(3):
        for popular in range(5):
            ask(store, popular, 1)
    for scanned in range(100, 200):
        ask(store, scanned, 1)
    assert set(range(5)) <= set(store.held)


@EACH
def test_a_lost_store_holds_nothing_and_works_again(policy: str) -> None:
    store = make_store(policy, 10)
    store.insert(1, 3)
    store.born[1] = 5.0
    store.clear()
    assert (dict(store.held), dict(store.born), store.used_bytes) == ({}, {}, 0)
    store.insert(1, 3)
    assert store.used_bytes == 3


@EACH
def test_what_is_evicted_leaves_no_time_behind(policy: str) -> None:
    store = make_store(policy, 10)
    for entry in range(100):
        store.insert(entry, 3)
        store.born[entry] = 1.0
    assert store.born.keys() == set(store.held)
