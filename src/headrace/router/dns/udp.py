"""Answers datagrams: reads some at a wake-up, answers each at once, and returns to the loop.

Nothing is awaited and nothing is queued: an answer that the kernel does not take is lost, as it may
be on its way. A socket on all addresses answers from the address that was asked (IP_PKTINFO).
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Final

from headrace.config.addresses import TcpAddress
from headrace.router.dns import wire
from headrace.router.dns.datagrams import Answer, Datagrams
from headrace.telemetry.metrics import WorkerMetrics

RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024
# A longer datagram is cut, and then malformed: no query is as long.
LONGEST_QUERY_BYTES: Final = wire.LARGEST_UDP_BYTES
ALL_ADDRESSES: Final = frozenset({"0.0.0.0", "::"})

_IP_PKTINFO: Final = 8


def udp_socket(address: TcpAddress, *, shared: bool = True) -> socket.socket:
    """Return a socket, one that shares its address with other workers. Raises OSError."""
    family = socket.AF_INET6 if address.is_v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if address.is_v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if address.host in ALL_ADDRESSES:
            if address.is_v6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setblocking(False)
        sock.bind((address.host, address.port))
    except OSError:
        sock.close()
        raise
    return sock


class UdpServer:
    """One socket, read while it serves. `answer` may be replaced at any time."""

    def __init__(
        self, sock: socket.socket, loop: asyncio.AbstractEventLoop, metrics: WorkerMetrics
    ) -> None:
        self.answer: Answer
        self._socket = sock
        self._loop = loop
        self._metrics = metrics
        on_all = sock.getsockname()[0] in ALL_ADDRESSES
        self._datagrams = Datagrams(sock, LONGEST_QUERY_BYTES, control=on_all)

    def serve(self) -> None:
        """Begin to answer."""
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Stop, and release the address."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        started = time.perf_counter()
        count, unsent = self._datagrams.answer(self.answer, int(time.time()))
        if count:
            self._metrics.dns_udp_queries += count
            self._metrics.dns_unsent += unsent
            self._metrics.dns_wait.observe(time.perf_counter() - started)
