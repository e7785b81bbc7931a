"""When a player stood still, and for how long."""

from __future__ import annotations

import pytest

from headrace.lab.drill.players.played import STALL_S, gaps_s, plays_on


def test_times_without_anything_new_from_the_event_on() -> None:
    moments_s = [0.0, 4.0, 5.0, 8.0, 8.5]

    # That of four seconds was over before the event.
    assert gaps_s(moments_s, 4.5, 10.0) == pytest.approx([1.0, 3.0, 0.5, 1.5])


def test_one_that_the_event_found_open() -> None:
    assert gaps_s([0.0, 3.0], 2.0, 3.5) == pytest.approx([3.0, 0.5])


def test_one_that_began_again_only_once_the_run_was_over() -> None:
    assert gaps_s([1.0, 9.0, 9.5], 0.0, 4.0) == pytest.approx([8.0, 0.5])
    assert gaps_s([1.0], 0.0, 4.0) == pytest.approx([3.0])
    assert gaps_s([], 0.0, 4.0) == []


def test_a_player_that_plays_no_more() -> None:
    assert plays_on([1.0, 2.0], 2.0 + STALL_S)
    assert not plays_on([1.0, 2.0], 2.1 + STALL_S)
    assert plays_on([1.0, 2.0, 9.0], 5.0)
    assert not plays_on([], 0.0)
