"""Which alarms have begun and which have ended, as events. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headrace.feedback.states.model import Alarm


class Raised:
    """The alarms that are in force."""

    def __init__(self) -> None:
        self._alarms: dict[tuple[str, str], Alarm] = {}

    def events(self, alarms: Iterable[Alarm], now: float) -> list[bytes]:
        """Return what has changed, now that these are in force, each as a line of JSON."""
        before = self._alarms
        after = self._alarms = {(one.kind, one.subject): one for one in alarms}
        begun = [(after[key], True) for key in sorted(after.keys() - before.keys())]
        ended = [(before[key], False) for key in sorted(before.keys() - after.keys())]
        return [
            msgspec.json.encode(
                {
                    "at": now,
                    "alarm": one.kind,
                    "subject": one.subject,
                    "text": one.text,
                    "raised": raised,
                }
            )
            for one, raised in begun + ended
        ]
