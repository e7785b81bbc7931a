"""The time that schedules go by: it follows the clocks of those who decide, and never leaps. Pure.

Observers' clocks may differ by seconds, and one continues what another decided. What the schedule
began is not to end again because the next clock is behind: so time goes on from where the memory
left it, a tenth slower or faster until it agrees. A difference that no clock should have is not
carried along.
"""

from __future__ import annotations

import math

LARGEST_DIFFERENCE_S = 30.0
SLEW = 0.1
LONGEST_ELAPSED_S = 86_400.0


def bounded_elapsed_s(elapsed_s: float) -> float:
    """Return a time between two steps that can be one."""
    return min(max(elapsed_s, 0.0), LONGEST_ELAPSED_S) if math.isfinite(elapsed_s) else 0.0


def network_time(at: float, elapsed_s: float, now: float) -> float:
    """Return the time of a step, `elapsed_s` after a step at `at` (0: there was none), where the
    own clock says `now`.
    """
    expected = at + elapsed_s
    difference = now - expected
    if at <= 0.0 or not math.isfinite(expected) or abs(difference) > LARGEST_DIFFERENCE_S:
        return now
    most_s = SLEW * elapsed_s
    return expected + min(max(difference, -most_s), most_s)
