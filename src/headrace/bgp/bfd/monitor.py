"""A supervised bfdd, asked twenty times a second whether the routers are there."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from headrace.bgp.backoff import Backoff
from headrace.bgp.bfd.text import Pace, changes, configuration, read_peers
from headrace.bgp.errors import BgpError
from headrace.bgp.events import BfdDown, BfdUp, SessionKey
from headrace.bgp.files import new_file, read_file
from headrace.bgp.frr.vty import Vty, VtyRefusedError
from headrace.bgp.session import Session

PROGRAM = Path("/usr/lib/frr/bfdd")
FRR = "frr"
POLL_S = 0.05
START_S = 5.0
LOG_LETTERS = 300
PATIENCE_S = 15.0
NO_ANSWER = f"no answer for {PATIENCE_S:g} s"
REMEDY = (
    "speak BFD on the router too; with bfd_multihop here where the router takes this server for "
    "one that is several hops away, as FRR does with TTL security"
)

log = structlog.get_logger()

OnDown = Callable[[SessionKey, str], None]
Report = Callable[[BfdUp | BfdDown], None]


@dataclass(frozen=True, slots=True)
class Bfd:
    """Where bfdd has its files, a directory for it alone, and its pace."""

    directory: Path
    pace: Pace = field(default_factory=Pace)


class BfdMonitor:
    """bfdd for those sessions, in `directory`, which it must have for itself.

    `on_down` is called when a router that was there is gone; `report` with all that changes. A bfdd
    that dies is started again and means nothing: the hold time of BGP still counts.
    """

    def __init__(
        self,
        sessions: tuple[Session, ...],
        directory: Path,
        on_down: OnDown,
        report: Report,
        pace: Pace,
    ) -> None:
        self._sessions = self._told = sessions
        self._directory = directory
        self._on_down = on_down
        self._report = report
        self._pace = pace
        self._up: dict[SessionKey, bool] = {}
        self._awaited: dict[SessionKey, float] = {}
        self._child: asyncio.subprocess.Process | None = None
        self._vty = Vty(directory / "bfdd.vty")
        self._backoff = Backoff()
        self._worked_since_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start bfdd, and return when it can be asked. Raises BgpError."""
        if self._task is None:
            await self._launch()
            self._task = asyncio.create_task(self._watch())

    def begin(self) -> None:
        """Start bfdd soon; one that does not start is tried again and again, and reported."""
        self._task = asyncio.create_task(self._watch())

    def change(self, sessions: tuple[Session, ...]) -> None:
        """Watch these routers from now on."""
        self._sessions = sessions

    async def close(self) -> None:
        """End bfdd; the routers are not told, which with BGP gone is what they expect."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._kill()

    @property
    def pid(self) -> int:
        """Return the number of the process that runs now."""
        return self._child.pid if self._child else 0

    def up(self, session: SessionKey) -> bool:
        """Return whether that router answers."""
        return self._up.get(session, False)

    async def _launch(self) -> None:
        self._worked_since_s = None
        self._told = self._sessions
        self._awaited = dict.fromkeys((one.key for one in self._sessions), _now_s() + PATIENCE_S)
        file = self._prepare()
        user, group = _user_and_group()
        path = self._directory
        try:
            output = new_file(path / "bfdd.log")
        except OSError as error:
            raise BgpError(f"{path}/bfdd.log cannot be written: {error.strerror}") from None
        try:
            # With -t it ends at the end of its standard input, so with this process at the latest.
            self._child = await asyncio.create_subprocess_exec(
                *(str(PROGRAM), "-t", "-f", str(file), "-i", str(path / "bfdd.pid")),
                *("-z", str(path / "zserv.api"), "--vty_socket", str(path), "-P", "0"),
                *("--bfdctl", str(path / "bfdd.sock"), "-u", user, "-g", group),
                *("--log", "stdout"),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.defpath},
            )
        except OSError as error:
            raise BgpError(
                f"{PROGRAM} cannot be started: {error.strerror}; install the package frr"
            ) from None
        finally:
            output.close()
        waiting = _now_s() + START_S
        while True:
            try:
                await self._ask()
            except BgpError as error:
                ended = self._child.returncode is not None
                if not ended and _now_s() < waiting:
                    await asyncio.sleep(0.02)
                    continue
                await self._kill()
                raise BgpError(f"bfdd does not start: {self._last_word() or error}") from None
            self._worked_since_s = _now_s()
            return

    def _prepare(self) -> Path:
        """Write its configuration, where bfdd's user may write as well. Raises BgpError."""
        file = self._directory / "bfdd.conf"
        try:
            self._directory.mkdir(mode=0o750, exist_ok=True)
            for former in ("bfdd.vty", "bfdd.sock", "bfdd.pid"):
                (self._directory / former).unlink(missing_ok=True)
            with new_file(file) as made:
                made.write(configuration(self._sessions, self._pace).encode())
            if os.geteuid() == 0:
                user = pwd.getpwnam(FRR)
                os.chown(self._directory, user.pw_uid, user.pw_gid)
        except KeyError:
            raise BgpError(f"there is no user {FRR}: install the package frr") from None
        except OSError as error:
            raise BgpError(f"{file} cannot be written: {error.strerror}") from None
        return file

    def _last_word(self) -> str:
        try:
            said = read_file(self._directory / "bfdd.log", 4096)
            return said.decode(errors="replace").strip()[-LOG_LETTERS:]
        except OSError:
            return ""

    async def _ask(self) -> None:
        try:
            peers = read_peers(await self._vty.ask("show bfd peers json"))
        except ValueError as error:
            raise BgpError(str(error)) from None
        known = {one.key for one in self._told}
        for session, (up, why) in peers.items():
            if session not in known:
                continue
            was_up = self._up.get(session, False)
            self._up[session] = up
            if was_up and not up:
                log.warning("bfd_down", router=str(session), detail=why)
                self._report(BfdDown(session, why))
                self._on_down(session, why)
            if up:
                self._awaited.pop(session, None)
                if not was_up:
                    self._report(BfdUp(session))
            elif self._awaited.get(session, float("inf")) < _now_s():
                del self._awaited[session]
                log.warning("bfd_not_up", router=str(session), remedy=REMEDY)
                self._report(BfdDown(session, NO_ANSWER, REMEDY))

    async def _tell(self) -> None:
        """Tell bfdd which routers to watch, where others are to be watched. Raises BgpError."""
        former, self._told = self._told, self._sessions
        keys = {one.key for one in former}
        for one in self._told:
            if one.key not in keys:
                self._awaited[one.key] = _now_s() + PATIENCE_S
        for gone in keys - {one.key for one in self._told}:
            self._up.pop(gone, None)
            self._awaited.pop(gone, None)
        try:
            for command in changes(former, self._told):
                await self._vty.ask(command)
        except VtyRefusedError as error:
            # Whom it watches, it goes on watching: to start it again would end those sessions.
            self._vty.close()
            for one in self._told:
                if one not in former:
                    self._report(BfdDown(one.key, str(error), "restart the vip process"))

    async def _watch(self) -> None:
        if self._child is None:
            try:
                await self._launch()
            except BgpError as error:
                await self._again(str(error))
        while True:
            await asyncio.sleep(POLL_S)
            try:
                if self._told is not self._sessions:
                    await self._tell()
                await self._ask()
            except BgpError as error:
                await self._again(str(error))

    async def _again(self, why: str) -> None:
        while True:
            self._up.clear()
            for one in self._sessions:
                self._report(BfdDown(one.key, f"bfdd ended: {why}", "it is started again"))
            await self._kill()
            wait_s = self._backoff.failed(_now_s(), self._worked_since_s)
            log.warning("bfd_restarts", detail=why, again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            try:
                await self._launch()
            except BgpError as error:
                why = str(error)
            else:
                return

    async def _kill(self) -> None:
        self._vty.close()
        if self._child is None:
            return
        if self._child.stdin is not None:
            self._child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _user_and_group() -> tuple[str, str]:
    """Return as whom bfdd runs: as FRR's user when this process may choose, else as its own."""
    if os.geteuid() == 0:
        return FRR, FRR
    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
