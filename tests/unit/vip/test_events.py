"""The last events, in bounds."""

from __future__ import annotations

from headrace.vip.events import DETAIL_LETTERS, MOST, Event, Events


def test_the_last_ones_are_kept_and_of_a_long_detail_only_its_beginning() -> None:
    events = Events()
    for number in range(2 * MOST):
        events.add(Event(float(number), "reason", "192.0.2.1", "x" * 100_000))
    kept = events.last(3 * MOST)
    assert len(kept) == MOST
    assert {len(one.detail) for one in kept} == {DETAIL_LETTERS}
    assert kept[0].at == 2 * MOST - 1
    assert events.last(1, "192.0.2.2") == []
