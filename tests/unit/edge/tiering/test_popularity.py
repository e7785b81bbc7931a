from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.tiering.popularity import MOST, Popularity

KEYS = st.binary(min_size=16, max_size=16)


@given(st.lists(KEYS, min_size=1, max_size=200))
def test_it_never_counts_too_few(keys: list[bytes]) -> None:
    popularity, seen = Popularity(), Counter[bytes]()
    for number, key in enumerate(keys):
        seen[key] += 1
        assert popularity.count(key, number / 1000) >= seen[key]


def test_few_objects_are_counted_exactly() -> None:
    popularity = Popularity()
    keys = [number.to_bytes(4, "big") * 4 for number in range(500)]
    for time in range(3):
        assert {popularity.count(key, 0.0) for key in keys} == {time + 1}


def test_what_was_popular_is_forgotten_after_two_windows() -> None:
    popularity, key = Popularity(10.0), b"0123456789abcdef"
    assert [popularity.count(key, now) for now in (0.0, 9.0)] == [1, 2]
    assert popularity.count(key, 11.0) == 3  # two in the window before
    assert popularity.count(key, 21.0) == 2
    assert popularity.count(key, 500.0) == 1


def test_a_count_ends_where_its_byte_does() -> None:
    popularity, key = Popularity(), bytes(16)
    for _time in range(MOST + 50):
        last = popularity.count(key, 0.0)
    assert last == MOST
