"""A `Speaker` over a daemon that has a guard: told again in time, or everything is withdrawn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping

import msgspec
import structlog

from headrace.bgp.announcement import Announcement
from headrace.bgp.backoff import Backoff
from headrace.bgp.beats import Beats
from headrace.bgp.errors import BgpError
from headrace.bgp.events import DropReason, SessionKey
from headrace.bgp.exabgp.helper import BEAT, HEARD
from headrace.bgp.lines import LineSplitter
from headrace.bgp.session import Session
from headrace.bgp.speaker import Speaker
from headrace.vip.speak.guard_process import GOODBYE, READY, WITHDRAWN, GuardTask
from headrace.vip.speak.stopped import GUARD_MODULE

START_S = 20.0
DEAF_S = 3.0
TICK_S = 0.25
END_S = 2.0
LINE_BYTES = 256
READ_BYTES = 4096

log = structlog.get_logger("headrace.vip")


class Guard:
    """The guard process, kept running. `on_withdrawn` is called when it has withdrawn everything
    and this process is heard again.
    """

    def __init__(self, task: GuardTask, on_withdrawn: Callable[[], None]) -> None:
        self._task = task
        self._on_withdrawn = on_withdrawn
        self._child: asyncio.subprocess.Process | None = None
        self._channel: socket.socket | None = None
        self._lines = LineSplitter(LINE_BYTES)
        self._beats = Beats()
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()
        self._backoff = Backoff()
        self._ready_s: float | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and return when no other guard withdraws any more. Raises BgpError."""
        await self._launch()
        self._keeper = asyncio.create_task(self._keep())

    def beat(self) -> None:
        """Let it know that this process decides."""
        if self._channel is not None and self._ready.is_set():
            self._beats.sent(asyncio.get_running_loop().time())
            self._send(BEAT)

    async def close(self, *, withdraw: bool) -> None:
        """End it, after it has withdrawn everything, or with everything as it is."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if not withdraw:
            self._send(GOODBYE)
        self._let_go()
        if self._child is not None:
            # A daemon that does not answer is tried on without anybody waiting for it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), END_S)

    async def _launch(self) -> None:
        self._ready.clear()
        self._ready_s = None
        self._ended.clear()
        self._beats = Beats()
        self._lines = LineSplitter(LINE_BYTES)
        command = (sys.executable, "-m", GUARD_MODULE, msgspec.json.encode(self._task).decode())
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                ours.setblocking(False)
                self._channel = ours
                self._child = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except OSError as error:
            self._let_go()
            raise BgpError(f"the guard cannot be started: {error.strerror}") from None
        asyncio.get_running_loop().add_reader(ours, self._read)
        either = [asyncio.create_task(one.wait()) for one in (self._ready, self._ended)]
        try:
            await asyncio.wait(either, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()
        if not self._ready.is_set():
            ended = self._ended.is_set()
            await self._kill()
            raise BgpError(
                "the guard ended as it started: see the log"
                if ended
                else f"the guard of a former process is not done: does {self._task.place} answer, "
                f"or does another vip process announce by it? ({self._task.lock} is taken)"
            )

    async def _keep(self) -> None:
        """Start it again when it ended or hangs; until then nobody withdraws for this process."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._ended.wait()
            now_s = asyncio.get_running_loop().time()
            if not self._ended.is_set() and self._beats.deaf_s(now_s) < DEAF_S:
                continue
            await self._kill()
            wait_s = self._backoff.failed(now_s, self._ready_s)
            log.warning("guard_restarts", again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            try:
                await self._launch()
            except BgpError as error:
                log.error("guard_not_started", problem=str(error))
                self._ended.set()

    def _read(self) -> None:
        assert self._channel is not None
        try:
            part = self._channel.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self._let_go()
            return
        for line in self._lines.feed(part):
            said = line + b"\n"
            if said == HEARD:
                self._beats.answered()
            elif said == READY:
                self._ready.set()
                self._ready_s = asyncio.get_running_loop().time()
            elif said == WITHDRAWN:
                self._on_withdrawn()

    def _send(self, words: bytes) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):  # full: it does not read, which is noticed
                self._channel.send(words)

    def _let_go(self) -> None:
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
            self._channel = None
        self._ended.set()

    async def _kill(self) -> None:
        self._let_go()
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()


class GuardedSpeaker:
    """A speaker whose announcements count only as long as they are set again in time."""

    def __init__(self, speaker: Speaker, guard: Guard) -> None:
        self._speaker = speaker
        self._guard = guard

    async def load(self) -> None:
        """Load the speaker. Raises BgpError."""
        await self._speaker.load()

    async def start(self) -> None:
        """Start the guard, then the speaker. Raises BgpError."""
        await self._guard.start()
        try:
            await self._speaker.start()
        except BaseException:
            await self._guard.close(withdraw=True)
            raise

    def set(self, announcements: frozenset[Announcement]) -> None:
        """Announce these from now on and nothing else. Raises ValueError."""
        self._speaker.set(announcements)
        self._guard.beat()

    def change(self, sessions: tuple[Session, ...], passwords: Mapping[SessionKey, str]) -> None:
        """Speak with these routers from now on."""
        self._speaker.change(sessions, passwords)

    def dropped(self) -> Mapping[DropReason, int]:
        """Return how much of what routers announced was not taken, by reason."""
        return self._speaker.dropped()

    async def close(self, *, graceful: bool) -> None:
        """Withdraw everything, or leave it as it is."""
        await self._speaker.close(graceful=graceful)
        await self._guard.close(withdraw=not graceful)
