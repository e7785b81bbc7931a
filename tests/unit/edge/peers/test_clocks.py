"""How far apart clocks are, as requests show it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.peers.clocks import WINDOW_S, Clocks

NOW = 1e9


def test_the_quickest_request_says_it_best() -> None:
    clocks = Clocks()
    assert clocks.behind_s("n2", NOW - 3.5, NOW) == 3.5
    assert clocks.behind_s("n2", NOW - 2.25, NOW + 1) == 3.25
    assert clocks.behind_s("n2", NOW - 2.0, NOW + 9) == 3.25  # under way for long, or sent again
    assert clocks.behind_s("n3", NOW - 9.0, NOW) == 9.0


def test_a_clock_that_was_set_is_found_out() -> None:
    clocks = Clocks()
    assert clocks.behind_s("n2", NOW, NOW) == 0
    for second in range(1, int(2 * WINDOW_S) + 2):
        found = clocks.behind_s("n2", NOW + second - 5, NOW + second)
    assert found == 5
    assert clocks.behind_s("n2", NOW + 100, NOW + 62) == -38


def test_after_a_silence_nothing_is_known() -> None:
    clocks = Clocks()
    clocks.behind_s("n2", NOW, NOW)
    assert clocks.behind_s("n2", NOW + 2 * WINDOW_S - 7, NOW + 2 * WINDOW_S) == 7
    assert clocks.behind_s("n2", NOW - 500, NOW - 499) == 1  # our own clock was set back


def test_who_left_the_network_is_forgotten() -> None:
    clocks = Clocks()
    clocks.behind_s("n2", NOW, NOW)
    clocks.retain(frozenset(("n3",)))
    assert not clocks._seen


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 30)), min_size=1), st.floats(-30, 30))
def test_it_is_never_too_little(ways: list[tuple[float, float]], behind_s: float) -> None:
    clocks, now = Clocks(), NOW
    for pause_s, way_s in ways:
        now += pause_s
        found = clocks.behind_s("n2", now - way_s - behind_s, now)
        assert behind_s - 1e-6 <= found <= behind_s + way_s + 1e-6
