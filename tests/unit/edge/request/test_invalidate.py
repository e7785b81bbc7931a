from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.purge_allowance import Allowance


@given(st.lists(st.floats(0, 5), max_size=60))
def test_there_are_never_more_than_at_first_and_by_the_second(pauses: list[float]) -> None:
    allowance, now, taken = Allowance(per_s=2.0, at_once=5), 100.0, 0
    for pause in pauses:
        now += pause
        taken += allowance.take(now)
    assert taken <= 5 + 2.0 * (now - 100.0) + 1e-6


def test_some_come_back() -> None:
    allowance = Allowance(per_s=1.0, at_once=2)
    assert [allowance.take(now) for now in (50.0, 50.0, 50.0, 51.5, 51.5)] == [
        True, True, False, True, False,
    ]  # fmt: skip
