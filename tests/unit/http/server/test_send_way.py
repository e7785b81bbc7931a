"""The cheaper way to send is found, and found again when the other one has become cheaper."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.server.send_way import FIRST_SENDS, TRIED_EACH, SendWay

MIB = 1024 * 1024


def sent(way: SendWay, times: int, *, copy_s: float, file_s: float) -> int:
    """Send so many MiB; how many went from the file."""
    by_files = 0
    for _ in range(times):
        by_file = way.by_file()
        by_files += by_file
        way.took(MIB, file_s if by_file else copy_s, by_file=by_file)
    return by_files


def test_both_are_tried_before_one_is_believed() -> None:
    assert sent(SendWay(), FIRST_SENDS, copy_s=1, file_s=9) == FIRST_SENDS // 2


@given(st.floats(1e-6, 1e-2), st.floats(1e-6, 1e-2))
def test_nearly_all_go_the_cheaper_way(copy_s: float, file_s: float) -> None:
    way = SendWay()
    sent(way, FIRST_SENDS, copy_s=copy_s, file_s=file_s)
    by_file = sent(way, 10 * TRIED_EACH, copy_s=copy_s, file_s=file_s)
    if abs(copy_s - file_s) > 1e-3 * max(copy_s, file_s):
        assert by_file == (10 if copy_s < file_s else 10 * TRIED_EACH - 10)


def test_what_has_become_cheaper_is_found() -> None:
    way = SendWay()
    sent(way, 1000, copy_s=1, file_s=2)
    assert not way.file_is_cheaper
    sent(way, 1000, copy_s=5, file_s=2)
    assert way.file_is_cheaper


def test_the_dearer_way_is_not_forgotten() -> None:
    """It is tried too seldom to be known from lately alone, and must be found when it is cheap."""
    way = SendWay()
    sent(way, 10_000, copy_s=9, file_s=1)
    sent(way, 16 * TRIED_EACH * 3, copy_s=0.01, file_s=1)
    assert not way.file_is_cheaper


def test_a_way_that_was_never_taken_is_no_reason_against_it() -> None:
    way = SendWay()
    way.took(MIB, 1, by_file=False)
    assert way.file_is_cheaper
