"""What every simulated policy must hold to, and what makes each the policy it is."""

from __future__ import annotations

import pytest
from bench.eviction.policies import POLICIES, Fifo, Lru, Sieve, WindowTinyLfu
from bench.eviction.policies.tiny_lfu import FrequencySketch
from hypothesis import given
from hypothesis import strategies as st

CAPACITY_BYTES = 1000

requests = st.lists(
    st.integers(min_value=0, max_value=60).map(lambda number: b"%d" % number), max_size=300
)


def size_of(entry: bytes) -> int:
    """From 0 to 1,100 bytes: some are larger than the cache."""
    return int(entry) * 397 % 1101


@pytest.mark.parametrize("name", POLICIES)
@given(asked=requests)
def test_a_policy_never_holds_more_than_its_capacity(name: str, asked: list[bytes]) -> None:
    policy = POLICIES[name](CAPACITY_BYTES)
    for entry in asked:
        policy.request(entry, size_of(entry))
        assert sum(policy.held().values()) <= CAPACITY_BYTES


@pytest.mark.parametrize("name", POLICIES)
@given(asked=requests)
def test_a_request_hits_exactly_when_the_entry_was_held(name: str, asked: list[bytes]) -> None:
    policy = POLICIES[name](CAPACITY_BYTES)
    for entry in asked:
        was_held = entry in policy.held()
        assert policy.request(entry, size_of(entry)) == was_held


@pytest.mark.parametrize("name", POLICIES)
@given(asked=requests)
def test_a_policy_holds_entries_with_the_sizes_they_came_with(
    name: str, asked: list[bytes]
) -> None:
    policy = POLICIES[name](CAPACITY_BYTES)
    for entry in asked:
        policy.request(entry, size_of(entry))
    assert all(size_bytes == size_of(entry) for entry, size_bytes in policy.held().items())


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_misses_each_entry_only_once_when_all_of_them_fit(name: str) -> None:
    policy = POLICIES[name](CAPACITY_BYTES)
    entries = [b"%d" % number for number in range(9)]
    misses = sum(not policy.request(entry, 100) for _ in range(20) for entry in entries)
    assert misses == len(entries)


def test_lru_keeps_what_was_asked_for_last() -> None:
    policy = Lru(200)
    for entry in (b"a", b"b", b"a", b"c"):
        policy.request(entry, 100)
    assert set(policy.held()) == {b"a", b"c"}


def test_fifo_evicts_what_came_first_though_it_was_asked_for_again() -> None:
    policy = Fifo(200)
    for entry in (b"a", b"b", b"a", b"c"):
        policy.request(entry, 100)
    assert set(policy.held()) == {b"b", b"c"}


def test_sieve_passes_over_what_was_visited_and_goes_on_from_there() -> None:
    policy = Sieve(300)
    for entry in (b"a", b"b", b"c", b"a", b"d", b"e"):
        policy.request(entry, 100)
    assert set(policy.held()) == {b"a", b"d", b"e"}


def test_tiny_lfu_does_not_let_a_stranger_drive_out_what_is_frequent() -> None:
    policy = WindowTinyLfu(1000)
    frequent = [b"frequent-%d" % number for number in range(9)]
    for _ in range(5):
        for entry in frequent:
            policy.request(entry, 100)
    for number in range(30):
        policy.request(b"stranger-%d" % number, 100)
    assert set(frequent) <= set(policy.held())


def test_a_sketch_never_estimates_fewer_requests_than_there_were_before_it_ages() -> None:
    sketch = FrequencySketch(64)
    for number in range(100):
        for _ in range(number % 4):
            sketch.count(b"%d" % number)
    assert all(sketch.estimate(b"%d" % number) >= number % 4 for number in range(100))


def test_a_sketch_forgets_with_time() -> None:
    sketch = FrequencySketch(64)
    for _ in range(8):
        sketch.count(b"old")
    for number in range(2000):
        sketch.count(b"%d" % number)
    assert sketch.estimate(b"old") < 8
