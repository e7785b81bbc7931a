"""How many clients a server's VIPs have yet, by the kernel's count: a response that the edge has
written may be under way for long, and its connection with it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Sequence
from ipaddress import ip_address

import structlog

from headrace.vip.addresses.ip_program import PATH
from headrace.vip.children import run_child
from headrace.vip.plan.model import Address

INTERVAL_S = 0.5
FRESH_S = 3.0
WITHIN_S = 5.0
MOST_FILTERED = 256
_STATES = ("established", "fin-wait-1", "close-wait", "last-ack", "closing")

log = structlog.get_logger("headrace.vip")


class Clients:
    """Counts while it is wanted: while the server leaves."""

    def __init__(self) -> None:
        self._vips: tuple[Address, ...] = ()
        self._counted: tuple[float, int] | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def want(self, vips: tuple[Address, ...]) -> None:
        """Count the clients of these from now on; none: do not count."""
        if set(vips) != set(self._vips):
            self._vips = vips
            self._counted = None
        if vips and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._count_forever())

    def count(self) -> int | None:
        """Return how many there are; None where that is not known."""
        if self._counted is None:
            return None
        at_s, count = self._counted
        return count if asyncio.get_running_loop().time() - at_s <= FRESH_S else None

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _count_forever(self) -> None:
        while vips := self._vips:
            found = await sockets_at(vips)
            if found is None and not self._failed:
                log.warning("clients_not_counted", remedy="install the package iproute2")
            self._failed = found is None
            if found is not None and vips == self._vips:
                self._counted = (asyncio.get_running_loop().time(), found)
            await asyncio.sleep(INTERVAL_S)


async def sockets_at(vips: Sequence[Address]) -> int | None:
    """Return how many connections the VIPs have; None where `ss` cannot say."""
    program = shutil.which("ss", path=PATH)
    if program is None:
        return None
    states = (word for one in _STATES for word in ("state", one))
    try:
        ended = await run_child(program, "-HtnO", *states, *filter_of(vips), within_s=WITHIN_S)
    except OSError:  # it cannot be started, or did not end in time
        return None
    return None if ended.code else clients_in(ended.output.decode(errors="replace"), set(vips))


def filter_of(vips: Sequence[Address]) -> list[str]:
    """Return what the kernel is asked for: connections at these; all, where they are many."""
    if len(vips) > MOST_FILTERED:
        return []
    words = [f"src {f'[{one}]' if one.version == 6 else one}" for one in vips]
    return [f"( {' or '.join(words)} )"]


def clients_in(text: str, vips: Collection[Address]) -> int:
    """Return how many of the listed connections are of clients. Those from a VIP to itself are this
    process's own checks.
    """
    count = 0
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        local, peer = _address(words[-2]), _address(words[-1])
        if local in vips and peer is not None and peer not in vips:
            count += 1
    return count


def _address(text: str) -> Address | None:
    host = text.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        found = ip_address(host)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if found.version == 6 else None
    return found if mapped is None else mapped
