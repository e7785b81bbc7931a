"""Answers datagrams: reads some at a wake-up, answers each at once, and returns to the loop.

Nothing is awaited and nothing is queued: an answer that the kernel does not take is lost, as it may
be on its way. A socket on all addresses answers from the address that was asked (IP_PKTINFO).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from headrace.config.addresses import TcpAddress
from headrace.router.dns import wire
from headrace.telemetry.metrics import WorkerMetrics

BATCH: Final = 64
RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024
# A longer datagram is cut, and then malformed: no query is as long.
LONGEST_QUERY_BYTES: Final = wire.LARGEST_UDP_BYTES
ALL_ADDRESSES: Final = frozenset({"0.0.0.0", "::"})

Answer = Callable[[bytes, bytes, int], bytes | None]
"""From a message, the client's address and the time in seconds to the answer, if any."""

_Source = tuple[str, int] | tuple[str, int, int, int]

_IP_PKTINFO: Final = 8
_ANCILLARY_BYTES: Final = 64


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
        self._v6 = sock.family == socket.AF_INET6
        on_all = sock.getsockname()[0] in ALL_ADDRESSES
        self._work = self._work_on_all if on_all else self._work_on_one

    def serve(self) -> None:
        """Begin to answer."""
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Stop, and release the address."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        started = time.perf_counter()
        count = self._work(int(time.time()))
        if count:
            self._metrics.dns_udp_queries += count
            self._metrics.dns_wait.observe(time.perf_counter() - started)

    def _work_on_one(self, now_s: int) -> int:
        """Answer what has come to the one address of the socket; return how many came."""
        receive, send, answer = self._socket.recvfrom, self._socket.sendto, self.answer
        packed, family = socket.inet_pton, socket.AF_INET6 if self._v6 else socket.AF_INET
        for count in range(BATCH):
            try:
                data, source = receive(LONGEST_QUERY_BYTES)
            except BlockingIOError:
                return count
            except OSError:
                continue  # what an earlier answer met: nobody listens there
            host = source[0]
            if "%" in host:
                host = host.partition("%")[0]
            reply = answer(data, packed(family, host), now_s)
            if reply is not None:
                try:
                    send(reply, source)
                except OSError:
                    self._metrics.dns_unsent += 1
        return BATCH

    def _work_on_all(self, now_s: int) -> int:
        """Answer what has come to any address, each from where it came to."""
        for count in range(BATCH):
            try:
                data, ancillary, _, source = self._socket.recvmsg(
                    LONGEST_QUERY_BYTES, _ANCILLARY_BYTES
                )
            except BlockingIOError:
                return count
            except OSError:
                continue
            self._answer_from(data, source, _reply_from(ancillary), now_s)
        return BATCH

    def _answer_from(
        self, data: bytes, source: _Source, local: list[tuple[int, int, bytes]], now_s: int
    ) -> None:
        family = socket.AF_INET6 if self._v6 else socket.AF_INET
        client = socket.inet_pton(family, source[0].partition("%")[0])
        reply = self.answer(data, client, now_s)
        if reply is not None:
            try:
                self._socket.sendmsg([reply], local, 0, source)
            except OSError:
                self._metrics.dns_unsent += 1


def _reply_from(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Return what makes an answer leave from the address that its question came to."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            _, local, _ = struct.unpack("I4s4s", data)
            return [(level, kind, struct.pack("I4s4s", 0, local, local))]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return [(level, kind, data)]
    return []
