"""How often to look again while another process is in the middle of something. Pure."""

from __future__ import annotations

from collections.abc import Iterator

AT_ONCE = 2
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05


def pauses(limit_s: float) -> Iterator[float]:
    """Pauses between looks, in seconds: none at first, then longer ones, `limit_s` in all."""
    for _ in range(AT_ONCE):
        yield 0.0
    pause_s = FIRST_PAUSE_S
    spent_s = 0.0
    while spent_s < limit_s:
        yield pause_s
        spent_s += pause_s
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
