"""The minimum rate of a request's body."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.server.body_pace import BodyPace

WINDOW_S = 20.0
RATE = 1000.0
TICK_S = 0.25


def seconds_until_cut(pieces: list[tuple[float, float, int]], most_s: float) -> float | None:
    """Play (wait, pause of the reader, bytes) over and over; the seconds waited when it is cut."""
    pace = BodyPace(0, WINDOW_S)
    now = waited = 0.0
    received = 0
    while waited < most_s:
        for wait_s, pause_s, size in pieces:
            deadline = pace.wait(now)
            end = now + wait_s
            while deadline + TICK_S <= end:
                waited += deadline + TICK_S - now
                now = deadline + TICK_S
                if pace.is_too_slow(now, received, RATE):
                    return waited
                deadline = pace.wait(now)
            waited += end - now
            now = end
            received += size
            pace.got(now)
            now += pause_s
    return None


def test_a_byte_at_each_wait_does_not_begin_the_window_again() -> None:
    for every_s in (0.5, 1.0, 5.0, 15.0, 19.9):
        assert seconds_until_cut([(every_s, 0.0, 1)], 200.0) is not None


@given(st.floats(0.5, 19.0), st.integers(1, 400))
def test_who_is_too_slow_is_cut_within_two_windows(every_s: float, rate: int) -> None:
    cut_after_s = seconds_until_cut([(every_s, 0.0, int(rate * every_s))], 200.0)
    assert cut_after_s is not None
    assert cut_after_s <= 2 * WINDOW_S + 20


@given(st.floats(0.5, 9.0), st.floats(0.0, 500.0))
def test_who_is_fast_enough_while_waited_for_is_never_cut(every_s: float, pause_s: float) -> None:
    size = int(3 * RATE * every_s) + 1
    assert seconds_until_cut([(every_s, pause_s, size)], 300.0) is None


def test_a_fast_beginning_buys_no_slow_end() -> None:
    pace = BodyPace(0, WINDOW_S)
    pace.wait(0.0)
    pace.got(0.1)
    pace.wait(0.1)
    assert not pace.is_too_slow(20.1, 10_000_000, RATE)
    assert pace.is_too_slow(40.2, 10_000_010, RATE)


def test_the_readers_own_pauses_count_for_nothing() -> None:
    pace = BodyPace(0, WINDOW_S)
    assert pace.wait(0.0) == 20.0
    pace.got(5.0)
    assert pace.wait(1000.0) == 1015.0
    assert not pace.is_too_slow(1014.0, 0, RATE)
    assert pace.is_too_slow(1015.0, 0, RATE)
