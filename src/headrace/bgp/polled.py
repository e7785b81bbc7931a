"""A `Speaker` over a daemon that is there already, BIRD or FRR: told by files or commands, and
asked how it is. What ends with this process is the asking: the daemon goes on announcing, until
somebody lets it `withdraw`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from headrace.bgp.announcement import Announcement, IPNetwork, by_prefix
from headrace.bgp.errors import BgpError, TooMuchError
from headrace.bgp.events import (
    Acknowledged,
    Attributes,
    DownReason,
    DropReason,
    Listener,
    Refused,
    SessionKey,
    SpeakerChanged,
    SpeakerState,
)
from headrace.bgp.reporting import Reporting, now_s
from headrace.bgp.session import Session

POLL_S = 0.25
AGAIN_S = 1.0
REFUSED_AGAIN_S = 5.0
RECEIVE_S = 5.0
"""What routers announce changes by the day, and a table of it costs something to be written."""

MUCH_S = 60.0

log = structlog.get_logger()


class RefusedError(BgpError):
    """The daemon is there and will not do what it was told; what it announced before, stays."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How the daemon says that a session is."""

    up: bool
    reason: DownReason | None = None
    detail: str = ""


class Daemon(Protocol):
    """What BIRD and FRR have in common."""

    async def apply(self, announcements: list[Announcement]) -> None:
        """Let it announce exactly these. Raises RefusedError, BgpError."""

    async def withdraw(self) -> None:
        """Let it announce nothing, whatever else it refuses. Raises BgpError."""

    async def sessions(self) -> dict[SessionKey, Seen]:
        """Return how its sessions are. Raises BgpError."""

    async def received(self, session: SessionKey) -> Mapping[IPNetwork, Attributes]:
        """Return what a router announces. Raises BgpError."""

    def check(self, announcements: Iterable[Announcement]) -> None:
        """Refuse what this daemon cannot be told. Raises ValueError."""

    def disconnect(self) -> None:
        """Close what it is asked by."""


class PolledSpeaker:
    """BIRD or FRR, asked four times a second."""

    def __init__(
        self, sessions: tuple[Session, ...], listener: Listener, *, daemon: Daemon
    ) -> None:
        self._known = Reporting(sessions, listener)
        self._listener = listener
        self._daemon = daemon
        self._desired: dict[IPNetwork, Announcement] = {}
        self._told: dict[IPNetwork, Announcement] | None = None
        self._changed = asyncio.Event()
        self._there = False
        self._refusal = ""
        self._refused_until_s = float("inf")
        self._receive_next_s = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Do nothing: the daemon runs already."""

    async def start(self) -> None:
        """Find the daemon and tell it what was set. Raises BgpError."""
        self._known.begin()
        await self._apply()
        self._now_there()
        self._task = asyncio.create_task(self._run())

    def set(self, announcements: frozenset[Announcement]) -> None:
        """Announce these from now on and nothing else. Raises ValueError."""
        self._known.check(announcements)
        self._daemon.check(announcements)
        desired = by_prefix(announcements)
        if desired != self._desired:
            self._desired = desired
            self._changed.set()

    def change(self, sessions: tuple[Session, ...], _passwords: Mapping[SessionKey, str]) -> None:
        """Ask for these sessions from now on; the daemon has them in its own configuration."""
        self._known.change(sessions)
        self._receive_next_s = float("-inf")

    def tell_again(self) -> None:
        """Tell everything again: somebody else has let the daemon withdraw it."""
        self._told = None
        self._changed.set()

    def dropped(self) -> dict[DropReason, int]:
        """Return how much of what routers announced was not taken, by reason."""
        return dict(self._known.received.dropped)

    async def close(self, *, graceful: bool) -> None:
        """Stop asking. Gracefully: the daemon goes on announcing. Otherwise all is withdrawn."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if not graceful:
            try:
                await self._daemon.withdraw()
            except BgpError as error:
                log.error("not_withdrawn", detail=str(error))
        self._daemon.disconnect()
        self._listener(SpeakerChanged(SpeakerState.CLOSED))

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._changed.wait()
            try:
                if self._changed.is_set() or not self._there or now_s() > self._refused_until_s:
                    await self._apply()
                    self._now_there()
                await self._ask()
            except Exception as error:  # whatever it is: unasked, it would announce for ever
                if not isinstance(error, BgpError):
                    log.exception("speaker_failed")
                self._gone(str(error) or type(error).__name__)
                await asyncio.sleep(AGAIN_S)

    async def _apply(self) -> None:
        self._changed.clear()
        desired = dict(self._desired)
        try:
            await self._daemon.apply(list(desired.values()))
        except RefusedError as error:
            await self._refused(str(error), desired)
            return
        self._refusal, self._refused_until_s = "", float("inf")
        self._now_told(desired)

    def _now_told(self, desired: dict[IPNetwork, Announcement]) -> None:
        told, self._told = self._told or {}, desired
        for prefix, announcement in desired.items():
            if told.get(prefix) != announcement:
                self._listener(Acknowledged(prefix))
        for prefix in told:
            if prefix not in desired:
                self._listener(Acknowledged(prefix, withdrawn=True))

    async def _refused(self, why: str, desired: Mapping[IPNetwork, Announcement]) -> None:
        """Report a refusal, and try again later. What was announced before stays, unless some of
        it must go: then all of it goes, for that is never refused.
        """
        self._refused_until_s = now_s() + REFUSED_AGAIN_S
        if why != self._refusal:
            self._refusal = why
            self._listener(Refused(None, why, "see the daemon's log and configuration"))
        if self._told is None or self._told.keys() - desired.keys():
            await self._daemon.withdraw()
            self._now_told({})

    async def _ask(self) -> None:
        known, seen = self._known, await self._daemon.sessions()
        for session in known.sessions:
            how = seen.get(session.key)
            if how is None:
                detail = "the daemon has no such session configured"
                how = Seen(False, DownReason.OTHER, detail)
            if how.up:
                known.up(session.key)
            elif how.reason is not None or known.states.is_up(session.key):
                known.down(session.key, how.reason or DownReason.OTHER, how.detail)
        known.overdue()
        if now_s() >= self._receive_next_s:
            self._receive_next_s = now_s() + RECEIVE_S
            for session in known.sessions:
                if session.intake.most and known.states.is_up(session.key):
                    await self._receive(session.key)

    async def _receive(self, session: SessionKey) -> None:
        received = self._known.received
        try:
            routes = await self._daemon.received(session)
        except TooMuchError as error:
            # Of a router's making, so no reason to give the daemon up; what is known stays.
            self._receive_next_s = now_s() + MUCH_S
            self._known.report(received.drop(session, DropReason.TOO_MANY, str(error)))
        else:
            for part in received.replaced(session, routes, self._desired):
                self._known.report(part)
                await asyncio.sleep(0)  # checks and plans are not to wait for a router's flood

    def _now_there(self) -> None:
        if not self._there:
            self._there = True
            self._listener(SpeakerChanged(SpeakerState.STARTED))

    def _gone(self, why: str) -> None:
        if self._there:
            self._there = False
            self._told = None
            self._receive_next_s = float("-inf")
            log.warning("speaker_gone", detail=why)
            self._listener(SpeakerChanged(SpeakerState.DIED, why, AGAIN_S))
            self._known.all_lost(DownReason.SPEAKER, why)
