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
import socket
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

SUPPORTED = ("5.0.",)
GO = b"headrace-go"
"""What comes by standard error, a socket, when standard input has the configuration."""
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
    """Tie this process to its parent, `argv[1]`, and run ExaBGP on what standard input holds once
    it is told to go.
    """
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
    return run_exabgp()


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


def read_configuration() -> str:
    """Return the configuration as it is now: standard input is a file in memory, which who started
    this process may write again. One on a disk would hold the passwords, and a command line would
    show them.
    """
    return os.pread(0, os.fstat(0).st_size, 0).decode()


class Intake:
    """How much each of so many routers has made ExaBGP write to its API, above what it may."""

    def __init__(self, routers: int = 1) -> None:
        self._owed: dict[str, tuple[float, float]] = {}
        self.share(routers)

    def share(self, routers: int) -> None:
        """Share among so many routers from now on."""
        self._share_bps = INTAKE_BPS / min(MOST_SHARES, max(1, routers))

    def took(self, router: str, size: int, now_s: float) -> None:
        """Note what one router's announcement came to, in bytes."""
        self._owed[router] = (self._now_owed(router, now_s) + size, now_s)

    def may_go_on(self, router: str, now_s: float) -> bool:
        """Return whether more of that router may be read."""
        return self._now_owed(router, now_s) <= INTAKE_BURST_BYTES

    def _now_owed(self, router: str, now_s: float) -> float:
        owed, then_s = self._owed.get(router, (0.0, now_s))
        return max(0.0, owed - (now_s - then_s) * self._share_bps / 8)


def take_configuration(reactor: Any, ribs: dict[str, Any], text: str) -> bool:
    """Let ExaBGP work by another configuration; return whether all of it is done.

    Neighbours that are as before keep their sessions. What is announced was said by the API, and
    stands in the new configuration as it is now; so nothing is to be taken back that stood in the
    former one. ExaBGP would do it when a session is made again, whatever was announced meanwhile.
    """
    reactor.configuration._configurations = [text]
    # A port that cannot be bound is no failure to ExaBGP.
    done = bool(reactor.reload() and reactor._listen_for_neighbors())
    neighbors = reactor.configuration.neighbors
    for neighbor in neighbors.values():
        if neighbor.previous is not None:
            neighbor.previous = neighbor
    for name in ribs.keys() - neighbors.keys():
        del ribs[name]  # what it was to be told would be told to one of that name later
    return done


def told_to_go() -> bool:
    """Wait for the word, and return whether it came: else nobody is there to say it."""
    with socket.socket(fileno=os.dup(2)) as channel:
        return channel.recv(len(GO)) == GO


def run_exabgp() -> int:
    """Load it, which takes most of its start, and run it when told to."""
    from exabgp.configuration.configuration import Configuration
    from exabgp.environment import getenv
    from exabgp.logger import log
    from exabgp.reactor.api.command.command import Command
    from exabgp.reactor.api.processes import Processes
    from exabgp.reactor.delay import Delay
    from exabgp.reactor.loop import Reactor
    from exabgp.reactor.network.error import NotConnected
    from exabgp.reactor.network.outgoing import Outgoing
    from exabgp.rib import RIB

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

    if not told_to_go():
        return 1
    configuration = read_configuration()
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

    def reload(_self: Any, reactor: Any, service: str, _line: str, _use_json: bool) -> bool:
        # ExaBGP's own says that it is done before it has begun.
        text = read_configuration()
        if not take_configuration(reactor, RIB._cache, text):
            reactor.processes.answer_error(service)
            return False
        intake.share(text.count(HEARD))
        reactor.processes.answer_done(service)
        return True

    Command.register("reload", False)(reload)
    written, Processes.write = Processes.write, write
    Reactor._rate_limited = limited
    Delay.increase = increase
    waiting, Outgoing.establish = Outgoing.establish, establish
    log.init(getenv())
    return int(Reactor(Configuration([configuration], text=True)).run())


if __name__ == "__main__":
    sys.exit(main())
