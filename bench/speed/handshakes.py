"""New TLS connections, each for one small answer: by our own loop, with a full handshake each.

A full handshake costs the client about what it costs the server, so a client in Python is the
limit: what counts is the server's processor time for each.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from dataclasses import dataclass

from bench.speed.load import WrongAnswer, reset_at_close
from bench.speed.steady import Ask, check_head
from bench.speed.suites import check, offering

AT_ONCE = 16
RECEIVE_BYTES = 65536
SILENCE_S = 20.0
_CLOSE = b"\r\nConnection: close\r\n\r\n"


class _Visit:
    """One connection from its first packet to the end of its only answer."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.shaken = False
        self.got = b""
        self.sock = socket.socket()
        reset_at_close(self.sock)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def step(self, ask: Ask, suite: str) -> bool:
        """Do what can be done with what has come; whether the answer is complete and right."""
        if self.shaken:
            return self._answered(ask)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.sock.sendall(self.outgoing.read())
            return False
        check(self.tls, suite)
        if self.tls.session_reused:
            raise WrongAnswer("a session was resumed where a full handshake was due")
        self.shaken = True
        self.tls.write(ask.request[:-4] + _CLOSE)
        self.sock.sendall(self.outgoing.read())
        return self._answered(ask)

    def _answered(self, ask: Ask) -> bool:
        try:
            while piece := self.tls.read(RECEIVE_BYTES):
                self.got += piece
        except ssl.SSLWantReadError:
            pass
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found or len(body) < ask.body_bytes:
            return False
        check_head(head, ask)
        return True


@dataclass(frozen=True, slots=True)
class Visits:
    """`answers` came in all, `in_time` of them within `seconds`."""

    answers: int
    in_time: int
    seconds: float


def flat_out(port: int, ask: Ask, seconds: float, suite: str) -> Visits:
    """Ask on connections of their own, `AT_ONCE` of them at once. Raises WrongAnswer.

    As soon as one has its answer, the next takes its place, until the time is over.
    """
    try:
        return _flat_out(port, ask, seconds, suite)
    except OSError as error:
        raise WrongAnswer(f"a connection failed: {error}") from error


def _flat_out(port: int, ask: Ask, seconds: float, suite: str) -> Visits:
    context = offering(suite)
    open_now: dict[int, _Visit] = {}
    answers = in_time = 0
    with select.epoll() as poll:

        def begin() -> None:
            visit = _Visit(port, context)
            open_now[visit.sock.fileno()] = visit
            poll.register(visit.sock, select.EPOLLIN)
            visit.step(ask, suite)

        began = now = time.perf_counter()
        try:
            for _ in range(AT_ONCE):
                begin()
            while open_now:
                events = poll.poll(SILENCE_S)
                if not events:
                    raise WrongAnswer(f"nothing came for {SILENCE_S:g} s")
                now = time.perf_counter()
                for number, _event in events:
                    visit = open_now[number]
                    data = visit.sock.recv(RECEIVE_BYTES)
                    visit.incoming.write(data)
                    if visit.step(ask, suite):
                        answers += 1
                        del open_now[number]
                        visit.sock.close()
                        if now - began < seconds:
                            in_time += 1
                            begin()
                    elif not data:
                        raise WrongAnswer(f"a connection was closed before {ask.path} had come")
        finally:
            for visit in open_now.values():
                visit.sock.close()
    return Visits(answers, in_time, seconds)


def resumes(port: int, suite: str) -> bool:
    """Whether the server takes back a session that it gave. Raises OSError."""
    context = offering(suite)
    session = None
    resumed = False
    for _ in range(2):
        with (
            socket.create_connection(("127.0.0.1", port), SILENCE_S) as raw,
            context.wrap_socket(raw, session=session) as tls,
        ):
            tls.sendall(b"GET /manifest HTTP/1.1\r\nHost: bench" + _CLOSE)
            while tls.recv(RECEIVE_BYTES):  # tickets come behind the handshake
                pass
            session, resumed = tls.session, bool(tls.session_reused)
    return resumed
