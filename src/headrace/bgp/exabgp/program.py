"""ExaBGP as it is run here. Run as a file of its own: it imports nothing of Headrace.

It ends with the process that started it, holds only so much memory, and tries a router that is away
every two seconds; ExaBGP's own waiting grows to a minute, for which a healed server would be
without its VIP.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from importlib.metadata import version
from typing import Any

SUPPORTED = ("5.0.",)
RETRY_S = 2.0
MEMORY_BYTES = 1 << 30
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4


def main() -> int:
    """Tie this process to its parent, `argv[1]`, and run ExaBGP on what standard input holds."""
    parent = int(sys.argv[1])
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if os.getppid() != parent:
        return 1
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    found = version("exabgp")
    if not found.startswith(SUPPORTED):
        sys.stderr.write(f"ExaBGP {found} is not supported: install exabgp 5.0\n")
        return 1
    return run_exabgp(sys.stdin.read())


def run_exabgp(configuration: str) -> int:
    """Run it. A file would hold the passwords, and a command line would show them."""
    from exabgp.configuration.configuration import Configuration
    from exabgp.environment import getenv
    from exabgp.logger import log
    from exabgp.reactor.delay import Delay
    from exabgp.reactor.loop import Reactor

    def increase(self: Any) -> None:
        self._time = time.time() + self._next
        self._next = RETRY_S

    Delay.increase = increase
    log.init(getenv())
    return int(Reactor(Configuration([configuration], text=True)).run())


if __name__ == "__main__":
    sys.exit(main())
