"""The process that ExaBGP starts to speak with: it hands both its pipes over and then only watches.

Run as a file of its own, by a bare interpreter: it imports nothing of Headrace. Its standard error
is a socket that it inherits of ExaBGP and whose other end the speaker holds. When that end is gone,
or says nothing for longer than its lease, ExaBGP would announce for ever what nobody checks any
more: it withdraws everything, if it still listens, and is killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

MARK = b"headrace-pipes\n"
BEAT = b"."
"""What the speaker says as long as it lives."""
HEARD = b"headrace-heard\n"
"""What is answered to it."""
LAPSED = b"headrace: nothing was heard of the process that checks for %.1f s\n"
WITHDRAW = b"\nclear adj-rib out\n"
TICK_S = 0.25
MOST_TICK_S = 0.5
"""What a turn counts as at most: while nothing ran on this machine, nobody could say anything."""
FLUSH_S = 0.3
READ_BYTES = 4096


class Lease:
    """How long nothing was heard, by the turns of a loop that may itself have been held up."""

    def __init__(self, lease_s: float, now_s: float) -> None:
        self._lease_s = lease_s
        self._turned_s = now_s
        self.silent_s = 0.0

    def turn(self, now_s: float, *, heard: bool) -> bool:
        """Return whether the lease has run out, at a turn in which something was heard or not."""
        passed_s = min(MOST_TICK_S, max(0.0, now_s - self._turned_s))
        self._turned_s = now_s
        self.silent_s = 0.0 if heard else self.silent_s + passed_s
        return bool(self._lease_s) and self.silent_s >= self._lease_s

    @property
    def hung(self) -> bool:
        """Return whether it had been silent for so long that it hung, should it be gone now."""
        return bool(self._lease_s) and self.silent_s >= self._lease_s / 2


def main() -> int:
    """Hand over standard input and output, and watch until either side is gone.

    `argv[1]` is the lease in seconds; with 0 only the end of the speaker counts.
    """
    parent = os.getppid()
    channel = socket.socket(fileno=os.dup(2))
    socket.send_fds(channel, [MARK], [0, 1])
    watched = select.poll()
    watched.register(channel, select.POLLIN | select.POLLRDHUP)
    watched.register(1, 0)  # An error there: ExaBGP closed its end.
    lease = Lease(float(sys.argv[1]), time.monotonic())
    while True:
        found = dict(watched.poll(TICK_S * 1000))
        if os.getppid() != parent or 1 in found:
            return 0
        event = found.get(channel.fileno(), 0)
        if event & ~select.POLLIN:
            if lease.hung:
                withdraw()
            end(parent)
            return 0
        heard = bool(event) and BEAT in channel.recv(READ_BYTES, socket.MSG_DONTWAIT)
        if heard:
            say(channel, HEARD)
        if lease.turn(time.monotonic(), heard=heard):
            say(channel, LAPSED % lease.silent_s)
            withdraw()
            end(parent)
            return 0


def end(parent: int) -> None:
    """Kill ExaBGP, unless it has ended meanwhile and its number may be another's."""
    if os.getppid() == parent:
        os.kill(parent, signal.SIGKILL)


def say(channel: socket.socket, words: bytes) -> None:
    """Say something to the speaker, if it can still be said."""
    with contextlib.suppress(OSError):
        channel.send(words, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def withdraw() -> None:
    """Let ExaBGP take everything back: a router that was promised a restart keeps it otherwise."""
    os.set_blocking(1, False)
    with contextlib.suppress(OSError):
        os.write(1, WITHDRAW)
        time.sleep(FLUSH_S)


if __name__ == "__main__":
    sys.exit(main())
