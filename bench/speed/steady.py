"""Load from one thread over many connections, at a fixed offered rate or as fast as it goes.

Latencies count from the moment a request was due, not from when it could be sent, so that a server
that stalls cannot hide it by keeping the load away (coordinated omission). Every answer's status
and length is checked, and every fiftieth body is hashed. It reads 256 KiB at a time, over TLS too,
so that it can take more than wrk, which reads 8 KiB.
"""

from __future__ import annotations

import gc
import re
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import xxhash

from bench.speed.load import HOST, WrongAnswer, context, reset_at_close

RECEIVE_BYTES = 256 * 1024
SLACK_BYTES = 32 * 1024  # what was left of a record may come out with the next read
HASHED_EACH = 50
HEAD_BYTES = 4096  # heads are looked for in so much of what came
GRACE_S = 20.0
ADDRESS_CONNECTIONS = 20_000
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request and what its answer must be. Figures are kept apart by `kind`.

    `start` asks for `body_bytes` from there on. `digest` is the body's XXH3; None: not hashed.
    """

    kind: str
    path: str
    body_bytes: int
    digest: int | None
    start: int | None = None
    host: str = HOST

    @property
    def request(self) -> bytes:
        span = ""
        if self.start is not None:
            span = f"Range: bytes={self.start}-{self.start + self.body_bytes - 1}\r\n"
        return f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{span}\r\n".encode()

    @property
    def status(self) -> int:
        return 200 if self.start is None else 206


@dataclass(slots=True)
class Outcome:
    """What came: seconds to the first byte and to the last, by kind, in order of completion.

    `read_bytes` were read within `seconds`. `late_s` is how long requests waited in the load
    generator although a connection was free: its own shortcoming, not the server's.
    """

    seconds: float = 0.0
    read_bytes: int = 0
    answers: int = 0
    hashed: int = 0
    busy_s: float = 0.0
    first_s: dict[str, list[float]] = field(default_factory=dict)
    whole_s: dict[str, list[float]] = field(default_factory=dict)
    late_s: list[float] = field(default_factory=list)

    @property
    def bytes_per_s(self) -> float:
        return self.read_bytes / self.seconds

    @property
    def busy(self) -> float:
        """The share of its core that the load generator took; of use when it never spins."""
        return self.busy_s / self.seconds


class TlsClient:
    """TLS on a connected socket, decrypting all of a large read at once."""

    __slots__ = ("_buffer", "_incoming", "_outgoing", "_sock", "_tls")

    def __init__(self, sock: socket.socket, buffer: memoryview) -> None:
        """Does the handshake; the socket may block meanwhile. `buffer` is for scratch."""
        self._sock = sock
        self._buffer = buffer
        self._incoming = ssl.MemoryBIO()
        outgoing = ssl.MemoryBIO()
        self._tls = context().wrap_bio(self._incoming, outgoing)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                self._incoming.write(sock.recv(RECEIVE_BYTES))
            else:
                sock.sendall(outgoing.read())
                break
        self._outgoing = outgoing

    def send(self, data: bytes) -> int:
        self._tls.write(data)
        self._sock.sendall(self._outgoing.read())
        return len(data)

    def recv_into(self, buffer: memoryview) -> int:
        """Raises BlockingIOError when nothing whole has come."""
        size = self._sock.recv_into(self._buffer)
        if not size:
            return 0
        self._incoming.write(self._buffer[:size])
        found = 0
        try:
            while self._incoming.pending or self._tls.pending():
                found += int(self._tls.read(RECEIVE_BYTES, buffer[found:]))
        except ssl.SSLWantReadError:
            pass
        if not found:
            raise BlockingIOError
        return found

    def close(self) -> None:
        self._sock.close()


class _Connection:
    __slots__ = ("ask", "due", "first", "hash", "head", "left", "sock")

    def __init__(self, sock: socket.socket | TlsClient) -> None:
        self.sock = sock
        self.ask: Ask | None = None
        self.due = 0.0
        self.first = 0.0
        self.head = b""
        self.left = -1
        self.hash: xxhash.xxh3_64 | None = None


class Load:
    """Open connections to one server. Close it, or use it with `with`.

    Each `hashed_each`-th body is hashed.
    """

    def __init__(
        self,
        port: int,
        connections: int,
        *,
        tls: bool = False,
        hashed_each: int = HASHED_EACH,
    ) -> None:
        self._poll = select.epoll()
        self._hashed_each = hashed_each
        self._all: dict[int, _Connection] = {}
        self._buffer = memoryview(bytearray(RECEIVE_BYTES + SLACK_BYTES))
        encrypted = memoryview(bytearray(RECEIVE_BYTES))
        for number in range(connections):
            sock = socket.socket()
            reset_at_close(sock)
            if connections > ADDRESS_CONNECTIONS:
                sock.bind((f"127.0.0.{2 + number // ADDRESS_CONNECTIONS}", 0))
            sock.connect(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = TlsClient(sock, encrypted) if tls else sock
            sock.setblocking(False)
            self._all[sock.fileno()] = _Connection(secured)
            self._poll.register(sock.fileno(), select.EPOLLIN)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for connection in self._all.values():
            connection.sock.close()
        self._poll.close()

    def at_rate(self, plan: Callable[[int], Ask], per_s: float, seconds: float) -> Outcome:
        """Offer request number n at n / per_s seconds, whatever has been answered by then.

        Raises WrongAnswer, also when answers are missing long after the end.
        """
        return self._run(plan, int(per_s * seconds), 1 / per_s, seconds)

    def flat_out(
        self, plan: Callable[[int], Ask], seconds: float, most: int | None = None
    ) -> Outcome:
        """Each connection asks again as soon as it has its answer, `most` requests in all."""
        return self._run(plan, most, 0.0, seconds)

    def _run(
        self, plan: Callable[[int], Ask], most: int | None, every_s: float, seconds: float
    ) -> Outcome:
        outcome = Outcome(seconds=seconds)
        free = deque(self._all.values())
        gc.collect()
        gc.disable()
        try:
            self._loop(plan, most, every_s, free, outcome)
        except OSError as error:
            raise WrongAnswer(f"a connection failed: {error}") from error
        finally:
            gc.enable()
        return outcome

    def _loop(
        self,
        plan: Callable[[int], Ask],
        most: int | None,
        every_s: float,
        free: deque[_Connection],
        outcome: Outcome,
    ) -> None:
        count = len(self._all)
        used_s = time.process_time()
        began = now = time.perf_counter()
        end = began + outcome.seconds
        number = 0
        over = False
        while True:
            while free and not over and (most is None or number < most):
                due = began + number * every_s if every_s else now
                if due > now:
                    break
                ready = free.popleft()
                self._send(ready, plan(number), due, hashed=number % self._hashed_each == 0)
                if every_s and free:
                    outcome.late_s.append(time.perf_counter() - due)
                number += 1
            ready_now = self._poll.poll(self._wait_s(began + number * every_s, now, every_s))
            woken = time.perf_counter()
            for fd, _event in ready_now:
                connection = self._all[fd]
                if self._receive(connection, outcome, woken, before_end=not over):
                    free.append(connection)
            now = time.perf_counter()
            if not over:
                finished = most is not None and number >= most and len(free) == count
                # Offered requests that are still queued at the end are sent all the same.
                if finished or (now >= end and (not every_s or most is None or number >= most)):
                    over = True
                    if not every_s:
                        outcome.seconds = now - began
                    outcome.busy_s = time.process_time() - used_s
            if over and len(free) == count:
                return
            if now > end + GRACE_S:
                missing = count - len(free)
                raise WrongAnswer(f"{missing} answers were missing {GRACE_S:g} s after the end")

    @staticmethod
    def _wait_s(due: float, now: float, every_s: float) -> float:
        """epoll counts in milliseconds: what is due sooner is waited for by spinning."""
        if not every_s:
            return 0.1
        return 0.0 if due - now < 0.002 else min(0.1, due - now - 0.001)

    @staticmethod
    def _send(connection: _Connection, ask: Ask, due: float, *, hashed: bool) -> None:
        connection.ask = ask
        connection.due = due
        connection.first = 0.0
        connection.left = -1
        connection.hash = xxhash.xxh3_64() if hashed and ask.digest is not None else None
        request = ask.request
        if connection.sock.send(request) != len(request):
            raise WrongAnswer("a request did not fit into a socket")

    def _receive(
        self, connection: _Connection, outcome: Outcome, woken: float, *, before_end: bool
    ) -> bool:
        """Take what had come when the poll returned, at `woken`; whether the answer is complete."""
        try:
            size = connection.sock.recv_into(self._buffer)
        except BlockingIOError:
            return False
        ask = connection.ask
        if ask is None and size:
            raise WrongAnswer(f"{size} bytes came that nobody asked for")
        if ask is None:
            raise WrongAnswer("the server closed a connection that waited for its next request")
        if not size:
            raise WrongAnswer(f"the connection was closed in the answer to {ask.path}")
        body = self._buffer[:size]
        if before_end:
            outcome.read_bytes += size
        if not connection.first:
            connection.first = woken  # and not after the copy of up to 256 KiB out of the kernel
        if connection.left < 0:
            head, found, _ = (connection.head + bytes(body[:HEAD_BYTES])).partition(b"\r\n\r\n")
            if not found:
                connection.head += bytes(body)
                return False
            body = body[len(head) + 4 - len(connection.head) :]
            connection.head = b""
            check_head(head, ask)
            connection.left = ask.body_bytes
        connection.left -= len(body)
        if connection.hash is not None:
            connection.hash.update(body)
        if connection.left > 0:
            return False
        if connection.left < 0:
            raise WrongAnswer(f"{-connection.left} bytes too many came for {ask.path}")
        self._complete(connection, ask, outcome)
        return True

    @staticmethod
    def _complete(connection: _Connection, ask: Ask, outcome: Outcome) -> None:
        if connection.hash is not None:
            if connection.hash.intdigest() != ask.digest:
                raise WrongAnswer(f"another body came for {ask.path}")
            connection.hash = None
            outcome.hashed += 1
        outcome.answers += 1
        outcome.first_s.setdefault(ask.kind, []).append(connection.first - connection.due)
        outcome.whole_s.setdefault(ask.kind, []).append(time.perf_counter() - connection.due)
        connection.ask = None


def check_head(head: bytes, ask: Ask) -> None:
    """Raises WrongAnswer unless the head has the status and the length that are due."""
    if head[:12] != b"HTTP/1.1 %d" % ask.status:
        status = head.partition(b"\r\n")[0][:80].decode("latin-1")
        raise WrongAnswer(f"{ask.path} was answered with {status}")
    length = _LENGTH.search(head)
    if length is None or int(length[1]) != ask.body_bytes:
        raise WrongAnswer(f"{ask.path} was answered with {head!r}, not {ask.body_bytes} bytes")
