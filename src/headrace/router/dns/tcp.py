"""Answers queries over TCP (RFC 7766): in order, as many on a connection as its client sends.

What strangers may hold is bounded: connections in all and of one network, bytes read ahead, bytes
that are not taken, time without a whole query. When all connections are taken, a new one takes the
place of the one that was idle longest: else whoever holds them would shut out all others, those too
who ask over TCP since their network was limited over UDP.

A connection reads no more while it has queries to be answered or answers to send. Connections take
turns, and all of them together get no more of a round of the loop than one UDP socket does.
"""

from __future__ import annotations

import asyncio
import enum
import errno
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

from headrace.config.addresses import TcpAddress
from headrace.router.dns.datagrams import Answer
from headrace.router.dns.rate_limit import network_of
from headrace.telemetry.metrics import WorkerMetrics

BACKLOG: Final = 512
READ_BYTES: Final = 16 * 1024
LONGEST_QUERY_BYTES: Final = 4096
# So many answers to all connections, and to one of them, and the loop has its turn.
BATCH: Final = 64
SHARE: Final = 16
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
        # The one whose last answer is longest ago comes first.
        self._open: dict[TcpConnection, None] = {}
        self._networks: Counter[bytes] = Counter()
        self._waiting: deque[TcpConnection] = deque()
        self._turn: asyncio.Handle | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, sock: socket.socket, client: bytes) -> None:
        """Serve a new connection; close it where its network has too many, another one where there
        are too many in all.
        """
        network = network_of(client)
        if self._networks.get(network, 0) >= self.limits.connections_per_network:
            self.metrics.dns_connections_refused["connections_per_network"] += 1
            sock.close()
            return
        while len(self._open) >= self.limits.connections:
            self.metrics.dns_connections_refused["connections"] += 1
            next(iter(self._open)).close()
        self._networks[network] += 1
        connection = TcpConnection(sock, client, self)
        self._open[connection] = None
        connection.serve()
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(SWEEP_S, self._sweep)

    def note_answered(self, connection: TcpConnection) -> None:
        """Note that a connection has taken answers."""
        connection.deadline = self.loop.time() + self.limits.idle_s
        del self._open[connection]
        self._open[connection] = None

    def remove(self, connection: TcpConnection) -> None:
        """Forget a connection that has closed."""
        if self._open.pop(connection, self) is None:
            network = network_of(connection.client)
            self._networks[network] -= 1
            if not self._networks[network]:
                del self._networks[network]

    def wait(self, connection: TcpConnection) -> None:
        """Let a connection that has whole queries have its turn when it comes."""
        self._waiting.append(connection)
        if self._turn is None:
            self._turn = self.loop.call_soon(self._take_turns)

    def close(self) -> None:
        """Close all connections."""
        self._waiting.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connection in list(self._open):
            connection.close()

    def _take_turns(self) -> None:
        waiting, left = self._waiting, BATCH
        try:
            while waiting and left > 0:
                left -= waiting.popleft().answer_some(min(left, SHARE))
        finally:
            # A fault of ours is one connection's, which ends when it has been idle for too long.
            self._turn = self.loop.call_soon(self._take_turns) if waiting else None

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self._open):
            if now >= connection.deadline:
                connection.close()
        self._sweeping = self.loop.call_later(SWEEP_S, self._sweep) if self._open else None


class _State(enum.Enum):
    """What a connection is about: one thing at a time."""

    READING = "waits for a whole query"
    WAITING = "has one, and waits for its turn"
    WRITING = "waits until its answers are taken"
    CLOSED = "is closed"


class TcpConnection:
    """One connection. Its deadline moves with each query that is answered and taken."""

    __slots__ = ("_in", "_out", "_socket", "_state", "client", "deadline", "owner")

    def __init__(self, sock: socket.socket, client: bytes, owner: TcpConnections) -> None:
        self.client = client
        self.owner = owner
        self.deadline = owner.loop.time() + owner.limits.idle_s
        self._socket = sock
        self._in = bytearray()
        self._out = b""
        self._state = _State.READING

    def serve(self) -> None:
        """Begin to read."""
        self.owner.loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Close, whatever is left to do."""
        loop = self.owner.loop
        if self._state is _State.WRITING:
            loop.remove_writer(self._socket)
        else:
            loop.remove_reader(self._socket)
        self._state = _State.CLOSED
        self._socket.close()
        self.owner.remove(self)

    def answer_some(self, most: int) -> int:
        """Answer whole queries, so many at most, and send the answers; return how many it were."""
        if self._state is not _State.WAITING:
            return 0  # it was closed meanwhile
        answers = []
        now_s = int(time.time())
        at = count = 0
        while count < most and self._whole(at):
            end = at + 2 + (self._in[at] << 8 | self._in[at + 1])
            answer = self.owner.answer(bytes(self._in[at + 2 : end]), self.client, now_s)
            at = end
            count += 1
            if answer is not None:
                answers.append(len(answer).to_bytes(2, "big") + answer)
        del self._in[:at]
        self.owner.metrics.dns_tcp_queries += count
        self._out = b"".join(answers)
        if self._out:
            self._send()
        else:
            self._continue()
        return count

    def _readable(self) -> None:
        if self._state is not _State.READING:
            return  # not before its turn
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
        self._continue()

    def _whole(self, at: int = 0) -> bool:
        held = len(self._in) - at
        return held >= 2 and held >= 2 + (self._in[at] << 8 | self._in[at + 1])

    def _continue(self) -> None:
        """Wait for the next turn if there is a query to be answered, else read."""
        if len(self._in) >= 2 and (self._in[0] << 8 | self._in[1]) > LONGEST_QUERY_BYTES:
            self.close()
        elif self._whole():
            self._state = _State.WAITING
            self.owner.wait(self)
        else:
            self._state = _State.READING

    def _send(self) -> None:
        """Send answers. What the kernel does not take is sent later, and nothing read before."""
        loop = self.owner.loop
        try:
            sent = self._socket.send(self._out)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.close()
            return
        self._out = self._out[sent:]
        if not self._out:
            self.owner.note_answered(self)
            if self._state is _State.WRITING:
                loop.remove_writer(self._socket)
                loop.add_reader(self._socket, self._readable)
            self._continue()
        elif self._state is not _State.WRITING:
            self._state = _State.WRITING
            loop.remove_reader(self._socket)
            loop.add_writer(self._socket, self._send)


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
