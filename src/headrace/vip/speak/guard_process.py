"""The guard of a BIRD or an FRR, which would announce for ever what nobody checks any more: when
the process that checks is gone, or says nothing for longer than its lease, everything is withdrawn.

A process of its own, run as `python -m headrace.vip.speak.guard_process <task>`. Its standard input
is a socket, whose other end the process that checks holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec
import structlog

from headrace.bgp.bird.daemon import BirdDaemon
from headrace.bgp.errors import BgpError
from headrace.bgp.exabgp.helper import HEARD, TICK_S, Lease
from headrace.bgp.frr.daemon import FrrDaemon
from headrace.bgp.polled import Daemon
from headrace.telemetry.logs import configure_logging
from headrace.vip.speak.stopped import end_stopped, note_own

READY = b"ready\n"
WITHDRAWN = b"withdrawn\n"
GOODBYE = b"q"
"""Said before the end by who wants to leave everything as it is."""
READ_BYTES = 4096
AGAIN_S = 1.0
GIVE_UP_S = 60.0

log = structlog.get_logger("headrace.vip")


class GuardTask(msgspec.Struct, frozen=True):
    """What is guarded: which daemon, where it is told, and for how long what it was told counts.

    The file `lock` belongs to the one guard that may withdraw.
    """

    kind: str
    local_as: int
    place: str
    include: str
    lease_s: float
    lock: str
    log_level: str = "info"


def daemon_at(task: GuardTask) -> Daemon:
    """Return the daemon."""
    place = Path(task.place)
    if task.kind == "bird":
        return BirdDaemon(task.local_as, socket=place, include=Path(task.include))
    return FrrDaemon(task.local_as, sockets=place)


def main() -> int:
    """Guard until the other end is gone, and the daemon announces nothing."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    task = msgspec.json.decode(sys.argv[1], type=GuardTask)
    configure_logging(task.log_level, part="guard")
    asyncio.run(_guard(task))
    return 0


async def _guard(task: GuardTask) -> None:
    guarding = _Guarding(task)
    with guarding.channel:
        await guarding.run()


class _Guarding:
    def __init__(self, task: GuardTask) -> None:
        self._task = task
        self._daemon = daemon_at(task)
        self.channel = socket.socket(fileno=os.dup(0))
        self.channel.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._problem = ""

    async def run(self) -> None:
        if not await self._locked():
            return
        self._say(READY)
        lease = Lease(self._task.lease_s, self._loop.time())
        lapsed = False
        while True:
            said = await self._read()
            if said == b"" or (said is not None and GOODBYE in said):
                break
            heard = said is not None
            if heard:
                self._say(HEARD)
            if lease.turn(self._loop.time(), heard=heard) and not lapsed:
                lapsed = await self._withdrawn(f"nothing was heard for {lease.silent_s:.1f} s")
            if heard and lapsed:
                self._say(WITHDRAWN)
                lapsed = False
        if said == b"":
            await self._withdrawn_at_last()

    async def _locked(self) -> bool:
        """Wait until a former guard has done its work, or cannot; return whether one is needed
        still.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._task.lock, flags, 0o600)
        except OSError as error:
            log.error("guard_not_locked", file=self._task.lock, problem=error.strerror)
            return False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                ended = end_stopped(descriptor)
                if ended:
                    log.warning("stopped_guard_ended", pid=ended)
                if await self._read() == b"":
                    return False
            else:
                with contextlib.suppress(OSError):  # a full disk
                    note_own(descriptor)
                return True

    async def _read(self) -> bytes | None:
        """Return what was said, None for nothing within a tick, b"" at the end."""
        try:
            return await asyncio.wait_for(self._loop.sock_recv(self.channel, READ_BYTES), TICK_S)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def _say(self, words: bytes) -> None:
        with contextlib.suppress(OSError):
            self.channel.send(words, socket.MSG_NOSIGNAL)

    async def _withdrawn_at_last(self) -> None:
        until_s = self._loop.time() + GIVE_UP_S
        while not await self._withdrawn("the process that checks is gone, or begins again"):
            if self._loop.time() >= until_s:
                return
            await asyncio.sleep(AGAIN_S)

    async def _withdrawn(self, why: str) -> bool:
        try:
            await self._daemon.withdraw()
        except BgpError as error:
            # Tried each second for a minute: said once, or the log has nothing else.
            if str(error) != self._problem:
                log.error("not_withdrawn", why=why, problem=str(error))
            self._problem = str(error)
            return False
        finally:
            self._daemon.disconnect()
        self._problem = ""
        log.warning("withdrawn_by_guard", why=why)
        return True


if __name__ == "__main__":
    sys.exit(main())
