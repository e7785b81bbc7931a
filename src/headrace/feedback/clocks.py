"""Whether another observer's clock is far from the own one: then it is not followed, and people are
to know why. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from headrace.feedback.exchange.others import Received
from headrace.feedback.publish.published import OTHERS_AHEAD_S
from headrace.feedback.states.model import Alarm, AlarmKind


def clocks_alarm(
    received: Mapping[str, Received], alive_s: float, now_s: float, clock: float
) -> Alarm | None:
    """Return the alarm about those that decide by a clock that is far from this one's."""
    told = []
    for name, one in sorted(received.items()):
        off_s = one.clock_off_s(now_s, clock)
        if now_s - one.at_s <= alive_s and abs(off_s) > OTHERS_AHEAD_S:
            told.append(f"{name}'s is {abs(off_s):.0f} s {'ahead' if off_s > 0 else 'behind'}")
    if not told:
        return None
    text = f"{'; '.join(told)} of the clock here: neither follows the other"
    return Alarm(AlarmKind.CLOCKS_DIFFER, "", text[:1024])
