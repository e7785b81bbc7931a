"""The sketch of the most frequent keeps its promises for every stream."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry.heavy import SpaceSaving

STREAM = st.lists(st.sampled_from([b"%d" % n for n in range(20)]), max_size=300)


@given(STREAM, st.integers(1, 12))
def test_counts_are_never_too_low_and_at_most_by_their_error_too_high(
    stream: list[bytes], capacity: int
) -> None:
    sketch, true = SpaceSaving(capacity, 8), Counter(stream)
    for thing in stream:
        sketch.add(thing)
    for heavy in sketch.top(capacity):
        assert heavy.count - heavy.error <= true[heavy.thing] <= heavy.count
        assert heavy.error <= len(stream) // capacity


@given(STREAM, st.integers(1, 12))
def test_what_is_frequent_enough_is_found(stream: list[bytes], capacity: int) -> None:
    sketch = SpaceSaving(capacity, 8)
    for thing in stream:
        sketch.add(thing)
    found = {heavy.thing for heavy in sketch.top(capacity)}
    frequent = {one for one, n in Counter(stream).items() if n > len(stream) / capacity}
    assert frequent <= found
    assert len(found) <= capacity
    assert sketch.total == len(stream)


def test_the_most_frequent_comes_first_and_long_things_are_cut() -> None:
    sketch = SpaceSaving(4, 3)
    for thing in (b"long-1", b"long-2", b"b"):
        sketch.add(thing)
    assert [(heavy.thing, heavy.count) for heavy in sketch.top(2)] == [(b"lon", 2), (b"b", 1)]
