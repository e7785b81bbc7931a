"""Memory that is bounded in bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.bounded import DOOR_MARKS, ENTRY_BYTES, BoundedMemory, Door


def memory(limit_bytes: int) -> BoundedMemory[bytes, bytes]:
    return BoundedMemory(limit_bytes, lambda key, value: len(key) + len(value))


PUTS = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=3000)), max_size=60)


@given(PUTS)
def test_it_holds_what_it_says_and_never_more_than_its_limit(
    puts: list[tuple[bytes, bytes]],
) -> None:
    known = memory(20_000)
    for key, value in puts:
        known.put(key, value)
        counted = sum(ENTRY_BYTES + len(k) + len(v) for k, v in known.entries.items())
        assert known.held_bytes == counted <= 20_000
        small = (ENTRY_BYTES + len(key) + len(value)) * 4 <= 20_000
        assert known.entries.get(key) == (value if small else None)


def test_the_oldest_go_first() -> None:
    known = memory(10 * (ENTRY_BYTES + 2))
    for number in range(11):
        known.put(b"%c" % number, b"v")
    assert list(known.entries) == [b"%c" % number for number in range(3, 11)]


def test_a_door_opens_at_the_second_time_within_a_while() -> None:
    door = Door()
    assert [door.came_before(7), door.came_before(8), door.came_before(7)] == [False, False, True]
    for number in range(100, 100 + 2 * DOOR_MARKS):
        assert not door.came_before(number)
    assert not door.came_before(7), "forgotten for others"
    assert [door.came_before(-7), door.came_before(-7)] == [False, True]


def test_thousands_that_come_in_turn_are_let_in() -> None:
    door = Door()
    for number in range(DOOR_MARKS):
        door.came_before(number)
    assert all(door.came_before(number) for number in range(DOOR_MARKS))


def test_a_door_holds_no_more_than_it_says() -> None:
    door = Door(100)
    for number in range(1_000):
        door.came_before(number)
        assert len(door._marks) + len(door._former) <= 200
