"""The speaker of this server: started, and started again for as long as it cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from headrace.bgp.announcement import Announcement
from headrace.bgp.backoff import Backoff
from headrace.bgp.errors import BgpError
from headrace.bgp.events import SessionKey
from headrace.bgp.session import Session
from headrace.bgp.speaker import Speaker

log = structlog.get_logger("headrace.vip")


class StartedSpeaker:
    """What `make` returns, told what `wanted` returns. `problem` says why it does not speak yet
    ("": it does); `on_problem` is told each that is new. Each time that one is made, `on_made` is
    called: one before it, which never spoke, may have been told of other routers and not said so.
    """

    def __init__(
        self,
        make: Callable[[], Speaker],
        wanted: Callable[[], frozenset[Announcement]],
        on_problem: Callable[[str], None],
        on_made: Callable[[], None],
    ) -> None:
        self.problem = "it waits some seconds for the handover and the first checks"
        self._make = make
        self._wanted = wanted
        self._on_problem = on_problem
        self._on_made = on_made
        self._speaker: Speaker | None = None

    async def start(self, known: Callable[[], Awaitable[None]]) -> None:
        """Return when it speaks. It is loaded at once, and started when `known` has returned: it is
        known what to begin with.
        """
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        await self._load()
        try:
            await known()
        except Exception:  # it begins with less, then
            log.exception("speaker_start_failed")
        while True:
            try:
                await self._start_once()
            except Exception as error:  # whatever it is: without a speaker there is no VIP
                if not isinstance(error, (BgpError, OSError)):
                    log.exception("speaker_start_failed")
                self._not_started(str(error) or type(error).__name__)
                await asyncio.sleep(backoff.failed(loop.time()))
                continue
            self.problem = ""
            self.tell()
            return

    async def _start_once(self) -> None:
        speaker = self._speaker or self._made()
        speaker.set(self._wanted())
        try:
            await speaker.start()
        except Exception:
            self._speaker = None
            raise

    def _made(self) -> Speaker:
        self._speaker = self._make()
        self._on_made()
        return self._speaker

    async def _load(self) -> None:
        try:
            await self._made().load()
        except Exception as error:  # `start` tries it again, and says it
            if not isinstance(error, (BgpError, OSError)):
                log.exception("speaker_start_failed")
            self._speaker = None

    def tell(self) -> None:
        """Tell it what is wanted. Each time, changed or not: what it is not told again in time, it
        withdraws.
        """
        if self._speaker is not None:
            self._speaker.set(self._wanted())

    def change(self, sessions: tuple[Session, ...], passwords: Mapping[SessionKey, str]) -> bool:
        """Let it speak with these routers from now on, if it was made already; return whether."""
        if self._speaker is not None:
            self._speaker.change(sessions, passwords)
        return self._speaker is not None

    async def close(self, *, graceful: bool) -> None:
        """End it."""
        if self._speaker is not None:
            await self._speaker.close(graceful=graceful)

    def _not_started(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._on_problem(problem)
