"""Answers queries over TCP (RFC 7766): in order, as many on a connection as its client sends.

What strangers may hold is bounded: connections in all and of one network, bytes read ahead, bytes
that are not taken, time without a whole query. A connection reads no more while it has to send.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from headrace.config.addresses import TcpAddress
from headrace.router.dns.rate_limit import network_of
from headrace.router.dns.udp import Answer
from headrace.telemetry.metrics import WorkerMetrics

BACKLOG: Final = 512
READ_BYTES: Final = 16 * 1024
LONGEST_QUERY_BYTES: Final = 4096
# So many answers, and the loop has its turn.
BATCH: Final = 64
SWEEP_S: Final = 1.0
_NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """What strangers may hold of a worker."""

    connections: int
    connections_per_network: int
    idle_s: float


class TcpConnections:
    """All connections of a worker, whichever address they came to."""

    def __init__(
        self, limits: TcpLimits, loop: asyncio.AbstractEventLoop, metrics: WorkerMetrics
    ) -> None:
        self.limits = limits
        self.answer: Answer
        self.loop = loop
        self.metrics = metrics
        self._open: dict[TcpConnection, None] = {}
        self._networks: Counter[bytes] = Counter()
        self._sweeping: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, sock: socket.socket, client: bytes) -> None:
        """Serve a new connection, or close it where there are too many."""
        network = network_of(client)
        reason = ""
        if len(self._open) >= self.limits.connections:
            reason = "connections"
        elif self._networks[network] >= self.limits.connections_per_network:
            reason = "connections_per_network"
        if reason:
            if not self._networks[network]:
                del self._networks[network]
            self.metrics.dns_connections_refused[reason] += 1
            sock.close()
            return
        self._networks[network] += 1
        connection = TcpConnection(sock, client, self)
        self._open[connection] = None
        connection.serve()
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(SWEEP_S, self._sweep)

    def remove(self, connection: TcpConnection) -> None:
        """Forget a connection that has closed."""
        if self._open.pop(connection, self) is None:
            network = network_of(connection.client)
            self._networks[network] -= 1
            if not self._networks[network]:
                del self._networks[network]

    def close(self) -> None:
        """Close all connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connection in list(self._open):
            connection.close()

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self._open):
            if now >= connection.deadline:
                connection.close()
        self._sweeping = self.loop.call_later(SWEEP_S, self._sweep) if self._open else None


class TcpConnection:
    """One connection. Its deadline moves with each query that is answered and taken."""

    __slots__ = ("_in", "_more", "_out", "_socket", "_writing", "client", "deadline", "owner")

    def __init__(self, sock: socket.socket, client: bytes, owner: TcpConnections) -> None:
        self.client = client
        self.owner = owner
        self.deadline = owner.loop.time() + owner.limits.idle_s
        self._socket = sock
        self._in = bytearray()
        self._out = b""
        self._more: asyncio.Handle | None = None
        self._writing = False

    def serve(self) -> None:
        """Begin to read."""
        self.owner.loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Close, whatever is left to do."""
        loop = self.owner.loop
        if self._more is not None:
            self._more.cancel()
        loop.remove_reader(self._socket)
        if self._writing:
            loop.remove_writer(self._socket)
        self._socket.close()
        self.owner.remove(self)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not data:
            self.close()
            return
        self._in += data
        self._answer_some()

    def _answer_some(self) -> None:
        """Answer whole queries, a batch at most, and send the answers."""
        self._more = None
        answers = []
        now_s = int(time.time())
        at = count = 0
        while count < BATCH and at + 2 <= len(self._in):
            size = self._in[at] << 8 | self._in[at + 1]
            if size > LONGEST_QUERY_BYTES:
                self.close()
                return
            if at + 2 + size > len(self._in):
                break
            answer = self.owner.answer(bytes(self._in[at + 2 : at + 2 + size]), self.client, now_s)
            at += 2 + size
            count += 1
            if answer is not None:
                answers.append(len(answer).to_bytes(2, "big") + answer)
        del self._in[:at]
        self.owner.metrics.dns_tcp_queries += count
        self._out = b"".join(answers)
        self._send()

    def _whole(self) -> bool:
        return len(self._in) >= 2 and len(self._in) >= 2 + (self._in[0] << 8 | self._in[1])

    def _send(self) -> None:
        loop = self.owner.loop
        if self._out:
            try:
                sent = self._socket.send(self._out)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.close()
                return
            self._out = self._out[sent:]
            if not self._out:
                self.deadline = loop.time() + self.owner.limits.idle_s
        if self._out:
            if not self._writing:
                self._writing = True
                loop.remove_reader(self._socket)
                loop.add_writer(self._socket, self._send)
            return
        if self._writing:
            self._writing = False
            loop.remove_writer(self._socket)
            loop.add_reader(self._socket, self._readable)
        if self._more is None and self._whole():
            # No reading until these are answered: the loop's next turn comes first.
            self._more = loop.call_soon(self._answer_some)


class TcpServer:
    """One listening socket, whose connections are added to those of the worker."""

    def __init__(self, sock: socket.socket, connections: TcpConnections) -> None:
        self._socket = sock
        self._connections = connections
        self._resting: asyncio.TimerHandle | None = None

    def serve(self) -> None:
        """Begin to accept."""
        self._resting = None
        self._connections.loop.add_reader(self._socket, self._acceptable)

    def close(self) -> None:
        """Stop accepting; connections stay."""
        if self._resting is not None:
            self._resting.cancel()
        self._connections.loop.remove_reader(self._socket)
        self._socket.close()

    def _acceptable(self) -> None:
        family = self._socket.family
        for _ in range(BATCH):
            try:
                sock, source = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    loop = self._connections.loop
                    loop.remove_reader(self._socket)
                    self._resting = loop.call_later(SWEEP_S, self.serve)
                    return
                continue  # it went away before it was accepted
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = socket.inet_pton(family, source[0].partition("%")[0])
            self._connections.add(sock, client)


def tcp_socket(address: TcpAddress, *, shared: bool = True) -> socket.socket:
    """Return a listening socket, one that shares its address with other workers.

    Raises OSError.
    """
    family = socket.AF_INET6 if address.is_v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        if address.is_v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
