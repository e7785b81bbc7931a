"""Whether an observer that hears too few of the others keeps its views to itself. Pure.

Cut off from the others it cannot know what they decide. Nodes that hear both tell it: they ask for
a view newer than one that it has never seen. While they do, what it would publish would only
replace what more observers decided, and bring back servers that these took out.
"""

from __future__ import annotations

from headrace.feedback.publish.published import BEFORE_ALL, OTHERS_AHEAD_S, Order, believable
from headrace.feedback.publish.waiting import HOLD_S
from headrace.feedback.states.model import Alarm, AlarmKind

RENEWALS = 2.0
"""So many renewals, and the time for which nodes keep a question, without a newer view of others
end it."""

_TEXT = (
    "it hears too few of the others, and nodes have newer views of these: it publishes nothing, "
    "orders given here included"
)


class Aside:
    """What nodes have told. `renew_s` is how often whoever decides publishes at least."""

    def __init__(self, renew_s: float) -> None:
        self.long_s = RENEWALS * renew_s + HOLD_S
        self._held: Order = BEFORE_ALL
        self._until_s: float | None = None

    def hear_nodes(self, held: Order, last: Order | None, now_s: float, clock: float) -> None:
        """Know the newest view that a node has, and the last that is known here; None: enough
        others are heard, and so is what they publish.
        """
        if last is None:
            self._until_s = None
        elif held > max(self._held, last) and believable(held, clock, OTHERS_AHEAD_S):
            self._held, self._until_s = held, now_s + self.long_s

    def is_aside(self, now_s: float) -> bool:
        """Return whether others publish what is not known here."""
        return self._until_s is not None and now_s < self._until_s

    def alarm(self, own: str, now_s: float) -> Alarm | None:
        """Return what people are to know of it."""
        return Alarm(AlarmKind.ASIDE, own, _TEXT) if self.is_aside(now_s) else None
