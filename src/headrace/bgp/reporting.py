"""What every speaker knows of its sessions and of what routers announce, reported as it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from headrace.bgp.announcement import Announcement
from headrace.bgp.events import DownReason, Listener, SessionKey, SpeakerEvent
from headrace.bgp.received import ReceivedRoutes
from headrace.bgp.refused_packets import hint, read_refused
from headrace.bgp.session import Session, routers_changed, unique
from headrace.bgp.sessions import SessionStates


class Reporting:
    """The sessions of a speaker. `begin` comes before all that concerns how they are."""

    def __init__(self, sessions: tuple[Session, ...], listener: Listener) -> None:
        """Raise ValueError for a router that is named twice."""
        self.sessions = unique(sessions)
        self.received = ReceivedRoutes(sessions)
        self.states: SessionStates
        self._begun = False
        self._families = {one.family for one in sessions}
        self._listener = listener
        self._refused: dict[str, int] = {}

    def begin(self) -> None:
        """Know nothing of any session but that it is not up."""
        self.states = SessionStates(self.sessions, now_s())
        self._refused = read_refused()
        self._begun = True

    def change(self, sessions: tuple[Session, ...]) -> None:
        """Know these sessions from now on, also before `begin`; of those that stay, all that is
        known stays.
        """
        keys = {one.key for one in sessions}
        for former in self.sessions:
            if self._begun and former.key not in keys:
                if self.states.is_up(former.key):
                    self.down(former.key, DownReason.CLOSED, "the router was taken out")
                self.report(self.received.ended(former.key))
        self.sessions = sessions
        self._families = {one.family for one in sessions}
        if self._begun:
            self.states.change(sessions, now_s())
        self.received.change(sessions)
        self._listener(routers_changed(sessions))

    def check(self, announcements: Iterable[Announcement]) -> None:
        """Refuse what no session can carry. Raises ValueError."""
        for one in announcements:
            if one.family not in self._families:
                raise ValueError(f"{one.prefix} has no session of its family to be announced on")

    def report(self, events: Iterable[SpeakerEvent]) -> None:
        """Report them in order."""
        for event in events:
            self._listener(event)

    def up(self, session: SessionKey) -> None:
        """Note that a session is established."""
        self.report(self.states.up(session, now_s()))

    def down(self, session: SessionKey, reason: DownReason, detail: str) -> None:
        """Note that a session is not, and with it what its router announced."""
        self.report(self.states.down(session, reason, detail, now_s()))
        self.report(self.received.ended(session))

    def overdue(self) -> None:
        """Report sessions that take too long."""
        self.report(self.states.overdue(now_s(), self._hint))

    def _hint(self) -> str:
        return hint(self._refused, read_refused())

    def all_lost(self, reason: DownReason, detail: str) -> None:
        """Note that all sessions have ended."""
        self.report(self.states.all_down(reason, detail, now_s()))
        for session in self.sessions:
            self.report(self.received.ended(session.key))


def now_s() -> float:
    """Return the time of the loop."""
    return asyncio.get_running_loop().time()
