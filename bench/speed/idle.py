"""What an idle connection takes of memory: the server's, and the kernel's for both ends.

Each figure is of a server that has just been started. One that held ten thousand before gives
memory of theirs to the next ten thousand.
"""

from __future__ import annotations

import time

from bench.speed import load
from bench.speed.peers import Peer
from bench.speed.stand import Stand
from bench.speed.suites import AES_128, offering
from bench.speed.work import Running

IDLE = 10_000
IDLE_TLS = 2_000  # a handshake each
SETTLED_S = 1.0


def memory_kib(stand: Stand, peer: Peer, count: int, *, tls: bool) -> float:
    """For each of so many connections. Raises WrongAnswer, NotStarted, OSError."""
    with stand.alone(peer) as running:
        return _kib(running, count, tls=tls)


def _kib(peer: Running, count: int, *, tls: bool) -> float:
    port = peer.tls if tls else peer.plain
    for _ in range(3):
        peer.check("/manifest", tls=tls)
    time.sleep(SETTLED_S)
    before = peer.program.resident_bytes() + load.kernel_bytes()
    held = load.idle_connections(port, count, offering(AES_128) if tls else None)
    try:
        time.sleep(SETTLED_S)
        after = peer.program.resident_bytes() + load.kernel_bytes()
        load.check_open(held)
    finally:
        for sock in held:
            sock.close()
    # A part of the kernel's share are the client's own ends: they are the same for every peer.
    return (after - before) / count / 1024
