"""Load that takes little of a processor: answers are awaited whole and dropped in the kernel.

For what needs every core for the servers. Of plain answers status and length are checked, of
encrypted ones, which nobody decrypts, only that as many bytes come as for one that was checked.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import xxhash

from bench.speed.load import WrongAnswer, reset_at_close
from bench.speed.steady import Ask, check_head
from bench.speed.suites import check, offering

HEAD_BYTES = 4096
SILENCE_S = 20.0
DIGITS = 16  # by so much answers differ in length, as Age and Date grow


class Asker(Protocol):
    """One connection that asks for the same again and again. `got` is the share of the answer that
    has come.
    """

    sock: socket.socket

    @property
    def got(self) -> float: ...

    def send(self) -> None:
        """Ask, and wake up when about all of the answer is there."""

    def receive(self) -> bool:
        """Drop what is there; whether the answer is complete."""


class Plain:
    """An asker without TLS. It wakes up when about all of an answer is there."""

    def __init__(self, port: int, ask: Ask) -> None:
        self._ask = ask
        self._request = ask.request
        self._sink = memoryview(bytearray(ask.body_bytes))
        self._left = -1
        self.sock = _connection(port)
        self.sock.setblocking(False)

    def send(self) -> None:
        """Ask, and wake up when about all of the answer is there."""
        _wake_at(self.sock, self._ask.body_bytes)
        self._left = -1
        if self.sock.send(self._request) != len(self._request):
            raise WrongAnswer("a request did not fit into a socket")

    @property
    def got(self) -> float:
        return 0.0 if self._left < 0 else 1 - self._left / self._ask.body_bytes

    def receive(self) -> bool:
        """Drop what is there; whether the answer is complete."""
        with contextlib.suppress(BlockingIOError):
            if self._left < 0:
                self._head(self.sock.recv(HEAD_BYTES))
            while self._left > 0:
                size = self.sock.recv_into(self._sink, self._left, socket.MSG_TRUNC)
                if not size:
                    raise WrongAnswer(f"the connection was closed in {self._ask.path}")
                self._left -= size
            return True
        _wake_at(self.sock, self._left)
        return False

    def _head(self, data: bytes) -> None:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            raise WrongAnswer(f"{self._ask.path} was answered with {data[:40]!r}")
        check_head(head, self._ask)
        self._left = self._ask.body_bytes - len(rest)


class Encrypted:
    """An asker over TLS. It decrypts the first two answers, and learns their length on the wire."""

    def __init__(self, port: int, ask: Ask, suite: str, *, whole: bool) -> None:
        """With `whole`, wake up when about all of an answer is there, not as it comes."""
        self._request = ask.request
        self._whole = whole
        self._received = 0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = offering(suite).wrap_bio(self._incoming, self._outgoing)
        self.sock = _connection(port)
        self._shake_hands()
        check(self._tls, suite)
        self._answer(ask)  # with the session's tickets before it
        self._size_bytes = self._answer(ask)
        self._sink = memoryview(bytearray(self._size_bytes + DIGITS))
        self.sock.setblocking(False)

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(self._outgoing.read())
                self._incoming.write(self.sock.recv(HEAD_BYTES))
            else:
                self.sock.sendall(self._outgoing.read())
                return

    def _answer(self, ask: Ask) -> int:
        """Ask, and check the whole answer; its encrypted bytes."""
        self._tls.write(self._request)
        self.sock.sendall(self._outgoing.read())
        encrypted, plain = 0, bytearray()
        head = b""
        while not head or len(plain) < len(head) + 4 + ask.body_bytes:
            data = self.sock.recv(1 << 20)
            if not data:
                raise WrongAnswer(f"the connection was closed in {ask.path}")
            encrypted += len(data)
            self._incoming.write(data)
            with contextlib.suppress(ssl.SSLWantReadError):
                while piece := self._tls.read(1 << 20):
                    plain += piece
            if not head:
                found, mark, _ = bytes(plain).partition(b"\r\n\r\n")
                head = found if mark else b""
        check_head(head, ask)
        if xxhash.xxh3_64_intdigest(plain[len(head) + 4 :]) != ask.digest:
            raise WrongAnswer(f"another body came for {ask.path}")
        return encrypted

    def send(self) -> None:
        if self._whole:
            _wake_at(self.sock, self._size_bytes - DIGITS)
        self._received = 0
        self._tls.write(self._request)
        self.sock.sendall(self._outgoing.read())

    @property
    def got(self) -> float:
        return min(1.0, self._received / self._size_bytes)

    def receive(self) -> bool:
        enough = self._size_bytes - DIGITS
        with contextlib.suppress(BlockingIOError):
            while self._received < enough:
                size = self.sock.recv_into(self._sink, 0, socket.MSG_TRUNC)
                if not size:
                    raise WrongAnswer("the connection was closed in an encrypted answer")
                self._received += size
            return True
        if self._whole:
            _wake_at(self.sock, enough - self._received)
        return False


def _connection(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    reset_at_close(sock)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _wake_at(sock: socket.socket, size_bytes: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)


@contextlib.contextmanager
def connected(
    port: int, ask: Ask, connections: int, *, suite: str | None, whole: bool = True
) -> Iterator[list[Asker]]:
    """So many connections to one server, over TLS with `suite`. Raises WrongAnswer."""
    found: list[Asker] = []
    try:
        for _ in range(connections):
            if suite is None:
                found.append(Plain(port, ask))
            else:
                found.append(Encrypted(port, ask, suite, whole=whole))
        yield found
    finally:
        for each in found:
            each.sock.close()


@dataclass(frozen=True, slots=True)
class Dropped:
    """`answers` came in all; `per_s` in a second until the time was over, with parts of some."""

    answers: int
    per_s: float


def flat_out(connections: list[Asker], seconds: float) -> Dropped:
    """Each connection asks again at once, until the time is over. Raises WrongAnswer."""
    by_number = {each.sock.fileno(): each for each in connections}
    answers = 0
    in_time: float | None = None
    with select.epoll() as poll:
        for number, each in by_number.items():
            poll.register(number, select.EPOLLIN)
            each.send()
        began = time.perf_counter()
        waiting = len(connections)
        while waiting:
            events = poll.poll(SILENCE_S)
            if not events:
                raise WrongAnswer(f"nothing came for {SILENCE_S:g} s")
            if in_time is None and time.perf_counter() - began >= seconds:
                seconds = time.perf_counter() - began
                in_time = answers + sum(each.got for each in connections)
            for number, _event in events:
                each = by_number[number]
                if not each.receive():
                    continue
                answers += 1
                if in_time is None:
                    each.send()
                else:
                    waiting -= 1
    return Dropped(answers, (in_time or 0.0) / seconds)
