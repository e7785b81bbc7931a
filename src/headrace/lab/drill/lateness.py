"""Whether figures are those of the network, or of a machine that had no time. Pure.

A client notes when it wanted to begin each request, and when it did. A figure is refused where it
could be explained by how late the client was while it arose, or where the lab stood still when the
event came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from headrace.lab.drill.records import Attempt

LEAST_S = 0.02
UNSEEN_S = 0.1
"""Where no request failed: an interruption so long could have been missed by one as late."""
SHARE = 0.25
_AROUND_S = 0.1
STALLED_S = 0.1
"""A lab that did not answer for so long when the event came had no time to: what failed then was
not for the event alone."""


def lateness_s(attempts: Iterable[Attempt], from_s: float, until_s: float) -> float:
    """Return how late requests were at most that were to begin in that time, or did."""
    return max(
        (one.late_s for one in attempts if one.planned_s <= until_s and one.began_s >= from_s),
        default=0.0,
    )


def explained(
    attempts: Iterable[Attempt], event_s: float, figure_s: float, until_s: float
) -> float | None:
    """Return how late the client was, if that may explain a time which began at the event; None
    where the figure stands. Where no request failed, one that might have is looked for `until_s`.
    """
    if figure_s <= 0:
        late_s = lateness_s(attempts, event_s - _AROUND_S, until_s)
        return late_s if late_s > UNSEEN_S else None
    late_s = lateness_s(attempts, event_s - _AROUND_S, event_s + figure_s + _AROUND_S)
    return late_s if late_s > max(LEAST_S, SHARE * figure_s) else None


def stalled_s(attempts: Collection[Attempt], event_s: float) -> float:
    """Return for how long a VIP had not answered when the event came, though it was asked. 0 where
    nothing was under way that is older than its last answer.
    """
    answers = (one.ended_s for one in attempts if one.outcome == "ok" and one.ended_s <= event_s)
    last_s = max(answers, default=float("-inf"))
    waiting = (one.began_s for one in attempts if one.began_s < event_s < one.ended_s)
    return event_s - min((began_s for began_s in waiting if began_s >= last_s), default=event_s)


def own_timeouts(attempts: Sequence[Attempt], patience_s: float) -> set[int]:
    """Return the places of the requests that ran out of time while the client stood still for so
    much of it that their answers may have been there. `attempts` are in the order of `planned_s`.
    """
    still_s = SHARE * patience_s
    stands = [(one.planned_s, one.began_s) for one in attempts if one.late_s > still_s]
    return {
        place
        for place, one in enumerate(attempts)
        if one.outcome == "timeout"
        and any(began <= one.ended_s and ended >= one.began_s for began, ended in stands)
    }
