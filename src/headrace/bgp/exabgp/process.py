"""One run of ExaBGP: the child, its API's pipes, and its log. It says what it reads, no more.

ExaBGP writes to its API and blocks while that is full, so everything is read at once; what is
written waits here, and the speaker above bounds how much that is.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from headrace.bgp.beats import Beats
from headrace.bgp.errors import BgpError
from headrace.bgp.exabgp.helper import BEAT, HEARD, LAPSED, MARK
from headrace.bgp.exabgp.messages import LIMIT_BYTES
from headrace.bgp.exabgp.program import GO
from headrace.bgp.lines import LineSplitter

HERE = Path(__file__).parent
READ_BYTES = 16 * 1024
"""Small, so that what routers make ExaBGP say never holds up the checks for long."""
LOG_LINE_BYTES = 4096
SHOWN_LETTERS = 300
LINES_A_SECOND = 20
START_S = 20.0
KILL_S = 5.0
DIES_S = 0.5
PIPE_BYTES = 1 << 20
LAST_WORDS = ("performing shutdown", "exiting on peer termination")
"""What it says after what it died of."""

log = structlog.get_logger()


def helper_command(lease_s: float = 0.0) -> str:
    """Return how ExaBGP starts its helper. Raises BgpError.

    Without a `beat` for `lease_s` the helper ends ExaBGP; 0: only this process's end counts. ExaBGP
    splits what it runs at commas, blanks and quotes, so the paths must have none.
    """
    words = [os.path.realpath(sys.executable), "-I", "-S", str(HERE / "helper.py")]
    words.append(f"{lease_s:g}")
    for word in words:
        if set(word) & set(" ,;'\"\\{}[]()#") or not word.isascii():
            raise BgpError(f"ExaBGP cannot start {word}: install Headrace in a path of plain names")
    return " ".join(words)


class Process:
    """ExaBGP, once. `on_line` has each line of its API; `on_end` is called at its end, one time."""

    def __init__(
        self, on_line: Callable[[bytes], None], on_end: Callable[[str], None], user: str
    ) -> None:
        self._on_line = on_line
        self._on_end = on_end
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._child: asyncio.subprocess.Process | None = None
        self._channel: socket.socket | None = None
        self._pipes: list[int] = []
        self._configuration = -1
        self._unsent = b""
        self._lines = LineSplitter(LIMIT_BYTES)
        self._log_lines = LineSplitter(LOG_LINE_BYTES)
        self._shown = (0, 0)
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._ended = False
        self._beats = Beats()
        self.last_word = ""
        self.heard_s = 0.0  # of the loop's time: when its API said anything the last time

    @property
    def pid(self) -> int:
        """Return the child's number, 0 before it was started."""
        return self._child.pid if self._child else 0

    @property
    def oversized(self) -> int:
        """Return how many lines of the API were too long to be read."""
        return self._lines.dropped

    async def load(self) -> None:
        """Start the child, which loads ExaBGP and waits for `start`. Raises BgpError."""
        try:
            self._configuration = os.memfd_create("exabgp")
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise BgpError(f"ExaBGP cannot be started: {error.strerror}") from None
        self._channel = ours  # from now on `kill` closes it, whatever comes between
        try:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(HERE / "program.py"), str(os.getpid())),
                stdin=self._configuration,
                stdout=subprocess.DEVNULL,
                stderr=theirs.fileno(),
                env=_environment(self._user),
            )
        except OSError as error:
            ours.close()
            raise BgpError(f"ExaBGP cannot be started: {error.strerror}") from None
        finally:
            theirs.close()
        ours.setblocking(False)
        self._loop.add_reader(ours, self._read_log)

    async def start(self, configuration: str) -> None:
        """Let ExaBGP run, loaded or not yet, and return when its API can be spoken to. Raises
        BgpError.
        """
        if self._child is None:
            await self.load()
        try:
            self.configure(configuration)
        except OSError as error:
            await self.kill()
            raise BgpError(f"ExaBGP cannot be started: {error.strerror}") from None
        if self._channel is not None:
            with contextlib.suppress(OSError):  # gone: `_ready` says so
                self._channel.send(GO)
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), START_S)
        except TimeoutError:
            await self.kill()
            raise BgpError(f"ExaBGP did not start within {START_S:.0f} s") from None
        except BgpError:
            await self.kill()
            raise
        if self._ended:
            raise BgpError(f"ExaBGP ended as it started: {self.last_word or 'without a word'}")
        # Not before: what it says comes after the word that it started.
        self._loop.add_reader(self._pipes[0], self._read)
        if self._unsent:
            self._write()

    def configure(self, configuration: str) -> None:
        """Replace the configuration; it counts with the next `text.RELOAD`. Raises OSError."""
        if self._configuration >= 0:
            content = configuration.encode()
            os.ftruncate(self._configuration, len(content))
            os.pwrite(self._configuration, content, 0)

    def send(self, line: str) -> None:
        """Send a command. Returns at once."""
        idle = not self._unsent
        self._unsent += line.encode() + b"\n"
        if idle:
            self._write()

    def beat(self) -> None:
        """Let the helper know that this process lives."""
        if self._ended or not self._pipes or self._channel is None:
            return
        self._beats.sent(self._loop.time())
        with contextlib.suppress(OSError):  # full: the helper does not read, which `deaf_s` shows
            self._channel.send(BEAT)

    def deaf_s(self) -> float:
        """Return for how long the helper has not answered to a beat."""
        return 0.0 if self._ended else self._beats.deaf_s(self._loop.time())

    async def death(self) -> str:
        """Return what it died of: its last word, but for one that was killed. Waits until it is
        gone, for a while.
        """
        if self._child is None:
            return self.last_word
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), DIES_S)
        code = self._child.returncode
        # What its helper said is why the helper killed it.
        lapsed = self.last_word.startswith(LAPSED.decode().partition("%")[0].strip())
        if code is None or code >= 0 or lapsed:
            return self.last_word
        word = signal.Signals(code * -1).name
        return f"it was killed by {word}: by somebody, or for lack of memory"

    async def kill(self) -> None:
        """End it without a word to anyone, and wait until it is gone."""
        self._finish("killed")
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), KILL_S)

    async def terminate(self) -> None:
        """Let it close its sessions, and kill it when it does not end."""
        self._finish("closed")
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), KILL_S)
            return
        await self.kill()

    def _read_log(self) -> None:
        assert self._channel is not None
        try:
            part, descriptors, _flags, _ = socket.recv_fds(self._channel, READ_BYTES, 2)
        except BlockingIOError:
            return
        except OSError:
            part, descriptors = b"", []
        if descriptors:
            self._take_pipes(descriptors)
        for line in self._log_lines.feed(part):
            if line + b"\n" == HEARD:
                self._beats.answered()
            elif line + b"\n" != MARK:
                self._show(line)
        if not part and not descriptors:
            self._finish(self.last_word or "it ended")

    def _take_pipes(self, descriptors: list[int]) -> None:
        if self._pipes or len(descriptors) != 2:
            for one in descriptors:
                os.close(one)
            return
        self._pipes = descriptors
        for one in descriptors:
            os.set_blocking(one, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptors[0], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        if not self._ready.done():
            self._ready.set_result(None)

    def _read(self) -> None:
        try:
            part = os.read(self._pipes[0], READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self._finish(self.last_word or "it ended")
            return
        self.heard_s = self._loop.time()
        for line in self._lines.feed(part):
            if self._ended:
                return
            self._on_line(line)

    def _write(self) -> None:
        if self._ended or not self._pipes:
            return
        self._loop.remove_writer(self._pipes[1])
        try:
            sent = os.write(self._pipes[1], self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._finish(self.last_word or "it ended")
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._pipes[1], self._write)

    def _show(self, line: bytes) -> None:
        text = " ".join(line.decode(errors="replace").split())[:SHOWN_LETTERS]
        if not text:
            return
        if not text.endswith(LAST_WORDS):
            self.last_word = text
        second, shown = int(self._loop.time()), 0
        if self._shown[0] == second:
            shown = self._shown[1]
        self._shown = (second, shown + 1)
        if shown < LINES_A_SECOND:
            log.debug("exabgp", line=text)

    def _finish(self, why: str) -> None:
        """Let go of everything but the child itself, once."""
        if self._ended:
            return
        self._ended = True
        if self._configuration >= 0:
            os.close(self._configuration)
            self._configuration = -1
        if self._channel is not None:
            self._loop.remove_reader(self._channel)
            self._channel.close()
        if self._pipes:
            self._loop.remove_reader(self._pipes[0])
            self._loop.remove_writer(self._pipes[1])
            for one in self._pipes:
                os.close(one)
        if not self._ready.done():
            self._ready.set_exception(BgpError(f"ExaBGP did not start: {why}{self._remedy(why)}"))
            self._ready.exception()
        self._on_end(why)

    def _remedy(self, why: str) -> str:
        """Return what helps when its helper does not start, which is mostly a matter of rights."""
        if "helper" not in why:
            return ""
        program = helper_command().split()[0]
        return (
            f"; the user {self._user} has to be able to run {program} and to read "
            f"{HERE / 'helper.py'}: let it, or name another `user` in [speaker]"
        )


def _environment(user: str) -> dict[str, str]:
    """Return what ExaBGP's own settings are; nothing of this process's environment is passed on."""
    settings = {
        "api_ack": "true",
        "api_cli": "false",
        "api_respawn": "false",
        "api_terminate": "true",
        "cache_attributes": "false",
        "daemon_daemonize": "false",
        "daemon_user": user,
        "log_destination": "stderr",
        "log_short": "true",
        "log_statistics": "false",
        "tcp_bind": "",
    }
    return {
        "PATH": os.defpath,
        "PYTHONUNBUFFERED": "1",
        **{f"exabgp_{name}": value for name, value in settings.items()},
    }
