"""Which addresses of this machine are on a line that is up, and when that changes.

The end of a session tells it too late: when the line is up again, a router has ended the session,
and here it may seem to live yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import msgspec
import structlog

from headrace.vip.ending import end
from headrace.vip.handover.programs import ProgramError, run
from headrace.vip.plan.model import Address

_GROUPS = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses
BETWEEN_S = 0.02
"""One change is several messages."""
MOST_LOOKS, LATELY_S, BUSY_S = 16, 10.0, 0.5
"""After so many looks within this time, the next waits longer: whoever makes containers, or a
router that advertises prefix after prefix, would have it run `ip` without end."""
RETRY_S = 2.0

log = structlog.get_logger("headrace.vip")


class _Info(msgspec.Struct):
    local: str = ""


class _Interface(msgspec.Struct):
    flags: list[str] = []
    addr_info: list[_Info] = []


_decoder = msgspec.json.Decoder(list[_Interface])


def on_lines(text: bytes) -> frozenset[Address]:
    """Return the addresses whose device is up and has a line, as `ip -j address show` says it.
    Raises msgspec.DecodeError, msgspec.ValidationError or ValueError.
    """
    return frozenset(
        ip_address(info.local)
        for one in _decoder.decode(text or b"[]")
        if "LOWER_UP" in one.flags
        for info in one.addr_info
        if info.local
    )


def pause_s(looks: Sequence[float], now_s: float) -> float:
    """Return how long a change waits, after the last looks at these times."""
    is_busy = len(looks) == MOST_LOOKS and now_s - looks[0] < LATELY_S
    return BUSY_S if is_busy else BETWEEN_S


class Lines:
    """Watches them. `up` are the addresses on lines that are up (None: it is not known); `changed`
    is called when they are others.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.up: frozenset[Address] | None = None
        self._changed = changed
        self._soon = asyncio.Event()
        self._problem = ""
        self._looks: deque[float] = deque(maxlen=MOST_LOOKS)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            await end([self._task])

    async def _run(self) -> None:
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
                channel.setblocking(False)
                channel.bind((0, _GROUPS))
                await self._watch(channel)
        except OSError as error:
            self.up = None
            log.warning("lines_unknown", problem=error.strerror)

    async def _watch(self, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(channel, self._read, channel)
        try:
            while True:
                self._soon.clear()
                await self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if self.up is not None else RETRY_S):
                        await self._soon.wait()
                await asyncio.sleep(pause_s(self._looks, loop.time()))
        finally:
            loop.remove_reader(channel)

    def _read(self, channel: socket.socket) -> None:
        # What changed is not told apart. A lost message is one of a change (ENOBUFS).
        for _ in range(256):
            try:
                channel.recv(1)
            except BlockingIOError:
                break
            except OSError:
                continue
        self._soon.set()

    async def _look(self) -> None:
        before, problem = self.up, ""
        self._looks.append(asyncio.get_running_loop().time())
        try:
            self.up = on_lines(await run("ip", "-j", "address", "show"))
        except (ProgramError, msgspec.DecodeError, ValueError) as error:
            self.up, problem = None, str(error)
        if problem and problem != self._problem:
            log.warning("lines_unknown", problem=problem)
        self._problem = problem
        if self.up != before:
            self._changed()
