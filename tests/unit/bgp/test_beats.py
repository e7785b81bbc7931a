"""Who does not answer to beats is deaf, from the first that was not answered."""

from __future__ import annotations

from headrace.bgp.beats import Beats


def test_deaf_since_the_first_beat_without_an_answer() -> None:
    beats = Beats()
    assert beats.deaf_s(100.0) == 0.0
    beats.sent(100.0)
    beats.sent(101.0)
    assert beats.deaf_s(102.0) == 2.0
    beats.answered()
    assert beats.deaf_s(200.0) == 0.0
    beats.sent(300.0)
    assert beats.deaf_s(300.5) == 0.5
