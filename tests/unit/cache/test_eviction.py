"""S3-FIFO over queues in memory: what it may never do, and what it is for."""

from __future__ import annotations

from bench.eviction.policies.s3_fifo import MemoryQueues, S3Fifo
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.eviction import (
    MOVES_PER_EVICTION,
    Queue,
    evict_one,
    ghost_bytes,
    insert,
)

CAPACITY_BYTES = 1000

requests = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=40).map(lambda number: b"%d" % number),
        st.booleans(),
    ),
    max_size=400,
)


def size_of(entry: bytes) -> int:
    """Sizes from 1 to 400 bytes, always the same for one entry; a few are zero."""
    return int(entry) * 37 % 401


def new_queues() -> MemoryQueues:
    return MemoryQueues(ghost_bytes(CAPACITY_BYTES))


def entries_in(queues: MemoryQueues, queue: Queue) -> list[bytes]:
    return list(queues.queues[queue])


def all_entries(queues: MemoryQueues) -> list[bytes]:
    return entries_in(queues, Queue.SMALL) + entries_in(queues, Queue.MAIN)


def used_bytes(queues: MemoryQueues) -> int:
    return queues.bytes_in(Queue.SMALL) + queues.bytes_in(Queue.MAIN)


def fill_main(queues: MemoryQueues, count: int, size_bytes: int, *, hits: int) -> None:
    for number in range(count):
        entry = b"main-%d" % number
        queues.set_hits(entry, hits)
        queues.push(Queue.MAIN, entry, size_bytes)


class CountingQueues(MemoryQueues):
    """Counts what is taken out of the queues."""

    def __init__(self) -> None:
        super().__init__(ghost_bytes(CAPACITY_BYTES))
        self.pops = 0

    def pop_oldest(self, queue: Queue) -> tuple[bytes, int] | None:
        self.pops += 1
        return super().pop_oldest(queue)


@given(requests)
def test_evicting_until_it_fits_never_leaves_the_cache_over_its_capacity(
    asked: list[tuple[bytes, bool]],
) -> None:
    queues = new_queues()
    for entry, hit_again in asked:
        if not queues.touch(entry):
            while used_bytes(queues) + size_of(entry) > CAPACITY_BYTES:
                assert evict_one(queues, CAPACITY_BYTES) is not None
            insert(queues, entry, size_of(entry))
        if hit_again:
            queues.touch(entry)
        assert used_bytes(queues) <= CAPACITY_BYTES


@given(requests)
def test_no_entry_is_lost_or_held_twice(asked: list[tuple[bytes, bool]]) -> None:
    queues = new_queues()
    expected: dict[bytes, int] = {}
    for entry, evict in asked:
        if not queues.touch(entry):
            insert(queues, entry, size_of(entry))
            expected[entry] = size_of(entry)
        if evict:
            victim = evict_one(queues, CAPACITY_BYTES)
            assert victim is not None
            assert expected.pop(victim[0]) == victim[1]
        assert sorted(all_entries(queues)) == sorted(expected)
        assert used_bytes(queues) == sum(expected.values())


@given(requests)
def test_the_ghost_remembers_no_more_than_main_may_hold(asked: list[tuple[bytes, bool]]) -> None:
    queues = new_queues()
    for entry, evict in asked:
        if not queues.touch(entry):
            insert(queues, entry, size_of(entry))
        if evict:
            evict_one(queues, CAPACITY_BYTES)
        assert sum(queues.ghost.values()) <= CAPACITY_BYTES * 0.9
        assert not queues.ghost.keys() & set(all_entries(queues))


@given(requests)
def test_evicting_again_and_again_empties_the_queues(asked: list[tuple[bytes, bool]]) -> None:
    queues = new_queues()
    for entry, _ in asked:
        if not queues.touch(entry):
            insert(queues, entry, size_of(entry))
    held = len(all_entries(queues))
    victims = [evict_one(queues, CAPACITY_BYTES) for _ in range(held)]
    assert None not in victims
    assert evict_one(queues, CAPACITY_BYTES) is None


def test_nothing_is_evicted_from_empty_queues() -> None:
    assert evict_one(new_queues(), CAPACITY_BYTES) is None


def test_a_new_entry_goes_to_small() -> None:
    queues = new_queues()
    insert(queues, b"new", 50)
    assert entries_in(queues, Queue.SMALL) == [b"new"]


def test_an_entry_hit_twice_in_small_moves_to_main_instead_of_leaving() -> None:
    queues = new_queues()
    insert(queues, b"wanted", 150)
    insert(queues, b"unwanted", 150)
    queues.touch(b"wanted")
    queues.touch(b"wanted")
    assert evict_one(queues, CAPACITY_BYTES) == (b"unwanted", 150)
    assert entries_in(queues, Queue.MAIN) == [b"wanted"]


def test_an_entry_that_moves_to_main_begins_without_hits() -> None:
    queues = new_queues()
    insert(queues, b"wanted", 150)
    insert(queues, b"unwanted", 150)
    queues.touch(b"wanted")
    queues.touch(b"wanted")
    evict_one(queues, CAPACITY_BYTES)
    assert queues.hits(b"wanted") == 0


def test_an_entry_hit_once_in_small_leaves_it() -> None:
    queues = new_queues()
    insert(queues, b"once", 101)
    queues.touch(b"once")
    assert evict_one(queues, CAPACITY_BYTES) == (b"once", 101)


def test_an_entry_evicted_from_small_comes_back_to_main() -> None:
    queues = new_queues()
    insert(queues, b"returning", 101)
    evict_one(queues, CAPACITY_BYTES)
    insert(queues, b"returning", 101)
    assert entries_in(queues, Queue.MAIN) == [b"returning"]


def test_the_ghost_brings_an_entry_back_only_once() -> None:
    queues = new_queues()
    insert(queues, b"returning", 101)
    evict_one(queues, CAPACITY_BYTES)
    insert(queues, b"returning", 101)
    evict_one(queues, CAPACITY_BYTES)
    insert(queues, b"returning", 101)
    assert entries_in(queues, Queue.SMALL) == [b"returning"]


def test_an_entry_evicted_from_main_is_a_stranger_when_it_comes_back() -> None:
    queues = new_queues()
    fill_main(queues, 1, 100, hits=0)
    assert evict_one(queues, CAPACITY_BYTES) == (b"main-0", 100)
    insert(queues, b"main-0", 100)
    assert entries_in(queues, Queue.SMALL) == [b"main-0"]


def test_main_gives_its_oldest_entry_without_hits() -> None:
    queues = new_queues()
    fill_main(queues, 3, 100, hits=0)
    queues.set_hits(b"main-0", 1)
    assert evict_one(queues, CAPACITY_BYTES) == (b"main-1", 100)
    assert entries_in(queues, Queue.MAIN) == [b"main-2", b"main-0"]


def test_small_within_its_share_is_left_alone_while_main_has_something() -> None:
    queues = new_queues()
    fill_main(queues, 1, 100, hits=0)
    insert(queues, b"new", 100)
    assert evict_one(queues, CAPACITY_BYTES) == (b"main-0", 100)


def test_the_share_of_small_is_counted_in_bytes_not_entries() -> None:
    queues = new_queues()
    fill_main(queues, 1, 800, hits=0)
    for number in range(10):
        insert(queues, b"manifest-%d" % number, 1)
    assert evict_one(queues, CAPACITY_BYTES) == (b"main-0", 800)


def test_an_eviction_does_a_bounded_amount_of_work_when_everything_is_wanted() -> None:
    queues = CountingQueues()
    fill_main(queues, 1000, 1, hits=3)
    assert evict_one(queues, CAPACITY_BYTES) is not None
    assert queues.pops <= MOVES_PER_EVICTION + 2


def test_a_newcomer_that_leaves_because_all_else_is_wanted_is_remembered() -> None:
    queues = new_queues()
    fill_main(queues, 900, 1, hits=3)
    insert(queues, b"newcomer", 100)
    assert evict_one(queues, CAPACITY_BYTES) == (b"newcomer", 100)
    insert(queues, b"newcomer", 100)
    assert b"newcomer" in entries_in(queues, Queue.MAIN)


def test_a_scan_of_entries_asked_for_once_leaves_main_as_it_was() -> None:
    cache = S3Fifo(CAPACITY_BYTES)
    wanted = [b"wanted-%d" % number for number in range(8)]
    for _ in range(3):
        for entry in wanted:
            cache.request(entry, 100)
    for number in range(500):
        cache.request(b"scanned-%d" % number, 100)
    assert all(cache.request(entry, 100) for entry in wanted)
