"""What a speaker has said: its sessions, what it refused, and how often it was started. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from headrace.bgp.announcement import Family, IPNetwork
from headrace.bgp.events import (
    Acknowledged,
    BfdDown,
    BfdUp,
    Dropped,
    Lost,
    Received,
    Refused,
    RoutersChanged,
    SessionDown,
    SessionKey,
    SessionUp,
    SpeakerChanged,
    SpeakerEvent,
    SpeakerState,
)
from headrace.bgp.session import Session
from headrace.vip.events import Event
from headrace.vip.speak.quiet import Quiet

MOST_REFUSED = 1000


@dataclass(frozen=True, slots=True)
class BfdFacts:
    """BFD with a router: since when it is up or down, in Unix time (None: the router was not heard
    yet, and may be soon), why it is down, and what helps.
    """

    up: bool | None = None
    since: float = 0.0
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session: since when it is up or down, in Unix time, why it is down, and what helps."""

    up: bool = False
    since: float = 0.0
    reason: str = ""
    detail: str = ""
    remedy: str = ""
    ups: int = 0
    received: int = 0


class Said:
    """Everything that matters of what the speaker said since the start."""

    def __init__(
        self, sessions: Iterable[SessionKey], now: float, bfd: Iterable[SessionKey] = ()
    ) -> None:
        """`bfd` are the sessions whose routers are watched by BFD from here."""
        self.sessions = {one: SessionFacts(since=now) for one in sessions}
        self.bfd = {one: BfdFacts(since=now) for one in bfd}
        self.acknowledged: set[IPNetwork] = set()
        self.refused: dict[IPNetwork | None, str] = {}
        self.state: SpeakerState | None = None
        self.detail = ""
        self.starts = 0
        self.dropped: Counter[str] = Counter()
        self._quiet = Quiet()
        self._lost: set[Family] = set()

    @property
    def up(self) -> set[Family]:
        """The families of which there is a session now."""
        return {key.family for key, one in self.sessions.items() if one.up}

    def up_since_asked(self) -> set[Family]:
        """Return the families of which there was a session all the time since this was last asked:
        not those whose last one ended, and was made again at once.
        """
        lost, self._lost = self._lost, set()
        return self.up - lost

    def heard(self, event: SpeakerEvent, now: float) -> Iterator[Event]:
        """Take what the speaker said; yield what is worth to be told."""
        match event:
            case SessionUp(session):
                before = self.sessions.get(session, SessionFacts())
                ups = before.ups + 1
                self.sessions[session] = SessionFacts(True, now, ups=ups)
                yield from self._told(session, Event(now, "session_up", str(session)))
            case SessionDown(session, reason, detail, remedy):
                before = self.sessions.get(session, SessionFacts())
                since = now if before.up else before.since
                self.sessions[session] = SessionFacts(
                    False, since, reason.value, detail, remedy, before.ups
                )
                if session.family not in self.up:
                    self._lost.add(session.family)
                told = Event(now, "session_down", str(session), f"{reason.value}: {detail}")
                yield from self._told(session, told)
            case BfdUp(session):
                self.bfd[session] = BfdFacts(True, now)
                yield from self._told(session, Event(now, "bfd_up", str(session)))
            case BfdDown(session, detail, remedy):
                known = self.bfd.get(session, BfdFacts())
                since = known.since if known.up is False else now
                self.bfd[session] = BfdFacts(False, since, detail, remedy)
                yield from self._told(session, Event(now, "bfd_down", str(session), detail))
            case Acknowledged(prefix, withdrawn):
                self.refused.pop(prefix, None)
                (self.acknowledged.discard if withdrawn else self.acknowledged.add)(prefix)
            case Refused(prefix, detail, remedy):
                if len(self.refused) < MOST_REFUSED:
                    self.refused[prefix] = detail
                yield Event(now, "refused", str(prefix or "all"), f"{detail}; {remedy}")
            case Received(session, _prefix, _attributes):
                self._count(session, 1)
            case Lost(session, _prefix):
                self._count(session, -1)
            case Dropped(session, reason, detail, remedy):
                self.dropped[reason.value] += 1
                told = Event(now, "dropped", str(session or ""), f"{reason.value}: {detail}")
                yield from self._told(session, told)
            case RoutersChanged(routers, bfd):
                if self._routers_are(routers, bfd, now):
                    names = ", ".join(str(one) for one in sorted(routers, key=str))
                    yield Event(now, "routers_changed", "", names)
            case SpeakerChanged(state, detail, _again_in_s):
                yield from self._changed(state, detail, now)

    def _routers_are(
        self, routers: Collection[SessionKey], bfd: Collection[SessionKey], now: float
    ) -> bool:
        """Know these from now on; what was refused is another matter now. Return whether they are
        others.
        """
        changed = self.sessions.keys() != set(routers) or self.bfd.keys() != set(bfd)
        self.refused.pop(None, None)
        fresh = SessionFacts(since=now)
        self.sessions = {one: self.sessions.get(one, fresh) for one in routers}
        self.bfd = {one: self.bfd.get(one, BfdFacts(since=now)) for one in routers if one in bfd}
        return changed

    def _told(self, session: SessionKey | None, event: Event) -> Iterator[Event]:
        """Yield an event that a router has brought about, unless there were too many."""
        skipped = self._quiet.skipped(session, event.at)
        if skipped:
            text = f"{event.detail} (after {skipped} more that are not told)"
            yield replace(event, detail=text)
        elif skipped == 0:
            yield event

    def _changed(self, state: SpeakerState, detail: str, now: float) -> Iterator[Event]:
        self.state, self.detail = state, detail
        if state is SpeakerState.STARTED:
            self.starts += 1
        else:
            self.acknowledged.clear()
        yield Event(now, f"speaker_{state.value}", "", detail)

    def _count(self, session: SessionKey, by: int) -> None:
        known = self.sessions.get(session)
        if known is not None:
            self.sessions[session] = replace(known, received=max(0, known.received + by))


def said_of_sessions(sessions: Sequence[Session], now: float) -> Said:
    """Return what is known of sessions at the start: nothing was heard yet."""
    return Said([one.key for one in sessions], now, [one.key for one in sessions if one.bfd])
