"""ExaBGP as a `Speaker`: kept running, told what to announce, and heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import structlog

from headrace.bgp.announcement import Announcement, IPNetwork
from headrace.bgp.backoff import Backoff
from headrace.bgp.beats import owes_for_too_long
from headrace.bgp.bfd.monitor import Bfd, BfdMonitor
from headrace.bgp.changes import Desired
from headrace.bgp.errors import BgpError
from headrace.bgp.events import (
    Acknowledged,
    DownReason,
    Dropped,
    DropReason,
    Listener,
    Refused,
    SessionKey,
    SpeakerChanged,
    SpeakerState,
)
from headrace.bgp.exabgp import messages, text
from headrace.bgp.exabgp.process import Process, helper_command
from headrace.bgp.exabgp.routers import Routers, to_tear_down
from headrace.bgp.reporting import Reporting, now_s
from headrace.bgp.session import Session, read_passwords

WINDOW = 16
"""Commands that are not answered yet. ExaBGP answers in order, so each answer has its command."""
ANSWER_S = 3.0
"""So long without an answer, ExaBGP hangs. It answers within 20 ms; hold times are 3 s at least."""
_HUNG = f"no answer for {ANSWER_S:.0f} s"
PING_S = 1.0
TICK_S = 0.25
WITHDRAW_S = 1.0
FLUSH_S = 0.15
USER = "nobody"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Command:
    """What an answer is about: a change of a prefix, other routers, or only whether it lives."""

    sent_s: float
    prefix: IPNetwork | None = None
    announcement: Announcement | None = None
    routers: Routers | None = None


class ExaBgpSpeaker:
    """A supervised ExaBGP. `user` is who it runs as when this process is root.

    With `lease_s`, what is announced counts for so long: when `set` is not called again in time,
    everything is withdrawn and ExaBGP ends, also when this process is stopped or hangs.
    """

    def __init__(
        self,
        sessions: tuple[Session, ...],
        listener: Listener,
        *,
        user: str = USER,
        bfd: Bfd | None = None,
        lease_s: float = 0.0,
    ) -> None:
        self._known = Reporting(sessions, listener)
        self._routers = Routers(sessions)
        self._next_routers: Routers | None = None
        self._listener = listener
        self._user = user
        self._lease_s = lease_s
        self._bfd_place = bfd
        self._bfd = self._monitor() if self._routers.watched else None
        self._wanted = Desired()
        self._outstanding: deque[_Command] = deque()
        self._teardowns: dict[SessionKey, None] = {}
        self._asked_s = 0.0
        self._unreadable = False
        self._backoff = Backoff()
        self._worked_since_s: float | None = None
        self._process: Process | None = None
        self._loaded: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._answered = asyncio.Event()

    async def load(self) -> None:
        """Have ExaBGP loaded, so that `start` is quick. Raises BgpError."""
        self._loaded = Process(self._read, self._on_end, self._user)
        try:
            await self._loaded.load()
        except BaseException:  # also where nobody waits for it any more
            await self._process_gone()
            raise

    async def start(self) -> None:
        """Start ExaBGP. What was set before is announced with the first word. Raises BgpError."""
        self._known.begin()
        try:
            await self._launch()
            if self._bfd is not None:
                await self._bfd.start()
        except Exception as error:
            await self._process_gone()
            if self._bfd is not None:
                await self._bfd.close()
                self._bfd = self._monitor() if self._routers.watched else None
            self._listener(SpeakerChanged(SpeakerState.DIED, str(error)))
            raise
        self._keeper = asyncio.create_task(self._keep())

    def set(self, announcements: frozenset[Announcement]) -> None:
        """Announce these from now on and nothing else. Raises ValueError."""
        self._known.check(announcements)
        self._wanted.set(announcements)
        if self._process is not None:
            self._process.beat()
        self._send_changes()

    def change(self, sessions: tuple[Session, ...], passwords: Mapping[SessionKey, str]) -> None:
        """Speak with these routers from now on."""
        self._next_routers = Routers(sessions, passwords)
        self._send_changes()

    def dropped(self) -> dict[DropReason, int]:
        """Return how much of what routers announced was not taken, by reason."""
        return dict(self._known.received.dropped)

    @property
    def pid(self) -> int:
        """Return the number of the process that runs now."""
        return self._process.pid if self._process else 0

    def tear_down(self, session: SessionKey, why: str = "") -> None:
        """End a session at once, for BFD has shown that the router is gone.

        It is made again by itself as soon as the router answers.
        """
        if self._process is not None and not self._ended.is_set():
            self._teardowns[session] = None
            self._send_changes()
            self._known.down(session, DownReason.BFD, why)

    async def close(self, *, graceful: bool) -> None:
        """End ExaBGP. Gracefully: killed, so that routers keep the routes if they were promised it.

        Otherwise everything is withdrawn first, for ExaBGP says no goodbye to a router with which
        graceful restart was agreed.
        """
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._bfd is not None:
            await self._bfd.close()
        if (process := self._process) is None:
            await self._process_gone()
            return
        if not graceful and not self._ended.is_set():
            self.set(frozenset())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_answered(), WITHDRAW_S)
            # An answer says that ExaBGP knows; it sends with its next round.
            await asyncio.sleep(FLUSH_S)
            await process.terminate()
        else:
            await process.kill()
        self._known.all_lost(DownReason.CLOSED, "")
        self._listener(SpeakerChanged(SpeakerState.CLOSED))

    @property
    def _sessions(self) -> tuple[Session, ...]:
        return self._routers.sessions

    def _monitor(self) -> BfdMonitor:
        if (bfd := self._bfd_place) is None:
            raise ValueError("sessions with BFD need a directory for bfdd")
        watched = self._routers.watched
        return BfdMonitor(watched, bfd.directory, self.tear_down, self._listener, bfd.pace)

    async def _process_gone(self) -> None:
        for one in (self._process, self._loaded):
            if one is not None:
                await one.kill()
        self._loaded = None

    async def _all_answered(self) -> None:
        while self._outstanding:
            self._answered.clear()
            await self._answered.wait()

    async def _launch(self) -> None:
        if self._next_routers is not None:
            self._adopt(self._next_routers)
        passwords = read_passwords(self._routers.sessions)
        routers = self._routers = replace(self._routers, passwords=passwords)
        self._ended.clear()
        self._outstanding.clear()
        self._teardowns.clear()
        process = self._loaded or Process(self._read, self._on_end, self._user)
        self._process, self._loaded = process, None
        announced = self._wanted.started()
        await process.start(self._configuration(routers, announced))
        self._listener(SpeakerChanged(SpeakerState.STARTED))
        for one in announced:
            self._listener(Acknowledged(one.prefix))
        self._send_changes()

    def _configuration(self, routers: Routers, announced: Collection[Announcement]) -> str:
        helper = helper_command(self._lease_s)
        return text.configuration(routers.sessions, routers.passwords, announced, helper)

    async def _keep(self) -> None:
        """Start ExaBGP again whenever it ended or hangs, and report what takes too long."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._ended.wait()
            if self._ended.is_set():
                await self._again(SpeakerState.DIED)
            elif self._hangs():
                await self._again(SpeakerState.HANGS)
            else:
                self._ping()
                self._known.overdue()

    def _hangs(self) -> bool:
        """Return whether ExaBGP or its helper owes an answer for too long."""
        assert self._process is not None
        sent_s = self._outstanding[0].sent_s if self._outstanding else now_s()
        owes = owes_for_too_long(sent_s, self._process.heard_s, ANSWER_S, now_s())
        return owes or self._process.deaf_s() > ANSWER_S

    async def _again(self, state: SpeakerState) -> None:
        process = self._process
        assert process is not None
        why = _HUNG if state is SpeakerState.HANGS else await process.death()
        await process.kill()
        self._known.all_lost(DownReason.SPEAKER, why)
        worked_since_s, self._worked_since_s = self._worked_since_s, None
        while True:
            wait_s = self._backoff.failed(now_s(), worked_since_s)
            worked_since_s = None
            self._listener(SpeakerChanged(state, why, wait_s))
            log.warning("speaker_restarts", state=state.value, detail=why, again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            try:
                await self._launch()
            except Exception as error:  # whatever it is: without a speaker there is no VIP
                if not isinstance(error, BgpError):
                    log.exception("speaker_start_failed")
                state, why = SpeakerState.DIED, str(error)
                await self._process_gone()
            else:
                return

    def _ping(self) -> None:
        """Ask whether ExaBGP lives, while nothing else is asked: this alone is answered at once,
        before what was asked earlier.
        """
        if not self._outstanding and now_s() - self._asked_s >= PING_S:
            self._send("#", _Command(now_s()))

    def _send(self, line: str, command: _Command) -> None:
        assert self._process is not None
        self._outstanding.append(command)
        self._asked_s = command.sent_s
        self._process.send(line)

    def _send_changes(self) -> None:
        """Tell what is to change, as far as the window is open."""
        if self._process is None or self._ended.is_set() or self._pinging():
            return
        if self._next_routers is not None:
            if not self._outstanding:
                self._send_routers(self._next_routers)
            return
        if self._teardowns:
            # Answered at once, so before what was asked earlier: only when nothing else is open.
            if not self._outstanding:
                session, _ = self._teardowns.popitem()
                self._send(text.teardown_line(session), _Command(now_s()))
            return
        while len(self._outstanding) < WINDOW and (change := self._wanted.take_change()):
            prefix, announcement = change
            line = (
                text.withdraw_line(self._sessions, prefix)
                if announcement is None
                else text.announce_line(self._sessions, announcement)
            )
            self._send(line, _Command(now_s(), prefix, announcement))

    def _send_routers(self, routers: Routers) -> None:
        """Tell whom to speak with. What it announces now stands in there too."""
        assert self._process is not None
        self._next_routers = None
        if routers == self._routers:
            self._known.change(routers.sessions)
            return
        try:
            self._process.configure(self._configuration(routers, self._wanted.told.values()))
        except (BgpError, OSError) as error:
            self._routers_refused(str(error))
        else:
            self._send(text.RELOAD, _Command(now_s(), routers=routers))

    def _adopt(self, routers: Routers) -> None:
        """Take it that these routers are those spoken with."""
        self._teardowns.update(dict.fromkeys(to_tear_down(self._routers, routers)))
        self._routers, self._next_routers = replace(routers, refused=None), None
        self._known.change(routers.sessions)
        self._wanted.keep({one.family for one in routers.sessions})
        if self._bfd is not None:
            self._bfd.change(routers.watched)
        elif routers.watched:
            self._bfd = self._monitor()
            self._bfd.begin()
        if routers.refused is not None:
            self._routers_refused(routers.refused)

    def _routers_answered(self, routers: Routers, *, refused: bool) -> None:
        if not refused:
            self._adopt(routers)
        elif routers.refused is None:
            # Some of it may be done, such as all but a port that cannot be bound.
            why = self._process.last_word if self._process else ""
            self._next_routers = self._next_routers or replace(self._routers, refused=why)
        else:
            self._ended.set()

    def _routers_refused(self, why: str) -> None:
        detail = f"the changed routers: {why}"
        self._listener(Refused(None, detail, "the sessions are as they were: see ExaBGP's log"))

    def _pinging(self) -> bool:
        return bool(self._outstanding) and self._outstanding[0].prefix is None

    def _read(self, line: bytes) -> None:
        known = self._known
        match messages.read_line(line):
            case messages.Done():
                self._answer(refused=False)
            case messages.Failed():
                self._answer(refused=True)
            case messages.State(session, down, detail) if session in known.states:
                if down is None:
                    known.up(session)
                    self._worked_since_s = self._worked_since_s or now_s()
                else:
                    known.down(session, down, detail)
            case messages.Update(session, announced, withdrawn, attributes) if (
                session in known.states
            ):
                for prefix in withdrawn:
                    known.report(known.received.withdrawn(session, prefix))
                own = self._wanted.desired
                for prefix in announced:
                    known.report(known.received.announced(session, prefix, attributes, own))
            case messages.Unreadable(session, detail):
                if session is not None and session in known.states:
                    known.report(known.received.drop(session, DropReason.UNREADABLE, detail))
                elif not self._unreadable:
                    self._unreadable = True
                    self._listener(Dropped(None, DropReason.UNREADABLE, detail))

    def _answer(self, *, refused: bool) -> None:
        if not self._outstanding:
            return
        command = self._outstanding.popleft()
        if command.routers is not None:
            self._routers_answered(command.routers, refused=refused)
        elif command.prefix is not None and refused:
            self._wanted.refused(command.prefix, command.announcement)
            remedy = "see what ExaBGP logs about it"
            detail = self._process.last_word if self._process else ""
            self._listener(Refused(command.prefix, detail, remedy))
            if command.announcement is None:
                # What it announces is not known any more, so it must start over.
                self._ended.set()
        elif command.prefix is not None:
            self._listener(Acknowledged(command.prefix, command.announcement is None))
        self._answered.set()
        self._send_changes()

    def _on_end(self, why: str) -> None:
        self._ended.set()
        untold = [one.routers for one in self._outstanding if one.routers is not None]
        self._next_routers = self._next_routers or next(iter(untold), None)
        self._outstanding.clear()
        self._answered.set()
