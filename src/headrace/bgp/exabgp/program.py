"""ExaBGP as it is run here. Run as a file of its own: it imports nothing of Headrace.

It ends with the process that started it, holds only so much memory, and tries a router that is away
again and again within three seconds: ExaBGP's own waiting grows to a minute, and that of the kernel
between two packets of one try as well. For so long a healed server would be without its VIP. Of
what routers announce it passes on only so much: the rest waits at the router, for who hears it has
VIPs to check.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

SUPPORTED = ("5.0.",)
RETRY_S = 1.0
CONNECT_S = 1.2
MEMORY_BYTES = 1 << 30
INTAKE_BPS = 2_000_000
"""What routers' announcements may come to, as text for the API: some 6,000 prefixes a second. Each
has an equal share of it, and a quarter at least: who waits longer would miss its hold time.
"""
MOST_SHARES = 4
INTAKE_BURST_BYTES = 250_000
HEARD = "receive { parsed; update; }"
"""What stands in the configuration for each router whose announcements are taken."""
REST_S = 0.002
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITIES_VERSION = 0x20080522
CAP_NET_BIND_SERVICE = 10


def main() -> int:
    """Tie this process to its parent, `argv[1]`, and run ExaBGP on what standard input holds."""
    parent = int(sys.argv[1])
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if os.geteuid() != 0:  # as root, ExaBGP itself becomes another user
        drop_capabilities(library)
    if os.getppid() != parent:
        return 1
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    found = version("exabgp")
    if not found.startswith(SUPPORTED):
        sys.stderr.write(f"ExaBGP {found} is not supported: install exabgp 5.0\n")
        return 1
    return run_exabgp(sys.stdin.read())


def drop_capabilities(library: ctypes.CDLL) -> None:
    """Give up what the process that checks needs to bind addresses: this one hears routers. What
    stays is a port below 1024, where a router is to connect and that was given.
    """
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper halves
    if library.capget(header, sets) != 0:
        return
    kept = sets[1] & (1 << CAP_NET_BIND_SERVICE)
    library.capset(header, (ctypes.c_uint32 * 6)(kept, kept))


class Intake:
    """How much each of so many routers has made ExaBGP write to its API, above what it may."""

    def __init__(self, routers: int = 1) -> None:
        self._share_bps = INTAKE_BPS / min(MOST_SHARES, max(1, routers))
        self._owed: dict[str, tuple[float, float]] = {}

    def took(self, router: str, size: int, now_s: float) -> None:
        """Note what one router's announcement came to, in bytes."""
        self._owed[router] = (self._now_owed(router, now_s) + size, now_s)

    def may_go_on(self, router: str, now_s: float) -> bool:
        """Return whether more of that router may be read."""
        return self._now_owed(router, now_s) <= INTAKE_BURST_BYTES

    def _now_owed(self, router: str, now_s: float) -> float:
        owed, then_s = self._owed.get(router, (0.0, now_s))
        return max(0.0, owed - (now_s - then_s) * self._share_bps / 8)


def run_exabgp(configuration: str) -> int:
    """Run it. A file would hold the passwords, and a command line would show them."""
    from exabgp.configuration.configuration import Configuration
    from exabgp.environment import getenv
    from exabgp.logger import log
    from exabgp.reactor.api.processes import Processes
    from exabgp.reactor.delay import Delay
    from exabgp.reactor.loop import Reactor
    from exabgp.reactor.network.error import NotConnected
    from exabgp.reactor.network.outgoing import Outgoing

    def increase(self: Any) -> None:
        # The first time too: a router that lets sessions come and go would do so all the time.
        self._time = time.time() + RETRY_S

    def establish(self: Any) -> Iterator[bool]:
        until = time.time() + CONNECT_S
        for connected in waiting(self):
            if not connected and time.time() > until:
                self.close()
                raise NotConnected("the router does not answer")
            yield connected

    intake = Intake(configuration.count(HEARD))

    def write(self: Any, process: str, string: str | None, neighbor: Any = None) -> bool:
        if neighbor is not None and string:
            intake.took(str(neighbor["peer-address"]), len(string), time.monotonic())
        return bool(written(self, process, string, neighbor))

    def limited(self: Any, name: str, _rate: int) -> bool:
        router = str(self._peers[name].neighbor["peer-address"])
        if intake.may_go_on(router, time.monotonic()):
            return False
        time.sleep(REST_S)  # its socket stays readable, so the loop does not wait by itself
        return True

    written, Processes.write = Processes.write, write
    Reactor._rate_limited = limited
    Delay.increase = increase
    waiting, Outgoing.establish = Outgoing.establish, establish
    log.init(getenv())
    return int(Reactor(Configuration([configuration], text=True)).run())


if __name__ == "__main__":
    sys.exit(main())
