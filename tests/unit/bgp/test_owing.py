"""Who says much is not taken for one that hangs, for a time."""

from __future__ import annotations

from headrace.bgp.beats import FLOODED, owes_for_too_long


def test_silence_after_a_question_counts_and_what_else_is_said_is_no_silence() -> None:
    assert not owes_for_too_long(10.0, 0.0, 3.0, 13.0)
    assert owes_for_too_long(10.0, 0.0, 3.0, 13.1)
    # Heard before it was asked: no word since.
    assert owes_for_too_long(10.0, 9.9, 3.0, 13.1)
    assert not owes_for_too_long(10.0, 12.0, 3.0, 14.9)
    assert owes_for_too_long(10.0, 12.0, 3.0, 15.1)
    # But not for ever.
    assert not owes_for_too_long(10.0, 40.0, 3.0, 10.0 + FLOODED * 3.0)
    assert owes_for_too_long(10.0, 40.0, 3.0, 10.1 + FLOODED * 3.0)
