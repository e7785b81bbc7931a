"""The process that ExaBGP starts to speak with: it hands both its pipes over and then only waits.

Run as a file of its own, by a bare interpreter: it imports nothing of Headrace. Its standard error
is a socket that it inherits of ExaBGP and whose other end the speaker holds. When that end is gone
so is the speaker, and ExaBGP, which would announce for ever what nobody checks any more, is killed.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys

MARK = b"headrace-pipes\n"


def main() -> int:
    """Hand over standard input and output, and stay until either side is gone."""
    parent = os.getppid()
    channel = socket.socket(fileno=os.dup(2))
    socket.send_fds(channel, [MARK], [0, 1])
    watched = select.poll()
    watched.register(channel, select.POLLRDHUP)
    watched.register(1, 0)  # An error there: ExaBGP closed its end.
    while True:
        for descriptor, _event in watched.poll(1000):
            if descriptor == channel.fileno() and os.getppid() == parent:
                os.kill(parent, signal.SIGKILL)
            return 0
        if os.getppid() != parent:
            return 0


if __name__ == "__main__":
    sys.exit(main())
