"""Datagrams that are received and answered many at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from headrace.config.addresses import TcpAddress
from headrace.router.dns.datagrams import BATCH, Datagrams
from headrace.router.dns.udp import udp_socket
from tests.harness.dns_server import free_port

SLOT_BYTES = 64


class Both:
    """A socket that answers, and two clients of it."""

    def __init__(self, host: str) -> None:
        self.server = udp_socket(TcpAddress(host, free_port()))
        v6 = self.server.family == socket.AF_INET6
        self.loopback = "::1" if v6 else "127.0.0.1"
        self.datagrams = Datagrams(self.server, SLOT_BYTES, control=host in {"::", "0.0.0.0"})
        self.clients = [socket.socket(self.server.family, socket.SOCK_DGRAM) for _ in range(2)]
        for client in self.clients:
            client.connect((self.loopback, self.server.getsockname()[1]))
            client.setblocking(False)

    def heard(self, number: int) -> list[bytes]:
        """Return what a client was answered."""
        found = []
        while True:
            try:
                found.append(self.clients[number].recv(2048))
            except BlockingIOError:
                return found

    def close(self) -> None:
        """Close all."""
        for sock in (self.server, *self.clients):
            sock.close()


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1", "::"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    made = Both(request.param)
    yield made
    made.close()


def test_each_is_answered_where_it_came_from_and_some_not_at_all(both: Both) -> None:
    for number in range(BATCH):
        both.clients[number % 2].send(b"%d" % number)
    asked = []

    def answer(data: bytes, client: bytes, now_s: int) -> bytes | None:
        asked.append((data, client, now_s))
        return None if int(data) % 5 == 0 else b"to " + data

    assert both.datagrams.answer(answer, 7) == (BATCH, 0)
    packed = socket.inet_pton(both.server.family, both.loopback)
    assert asked == [(b"%d" % number, packed, 7) for number in range(BATCH)]
    for client in range(2):
        answered = [n for n in range(client, BATCH, 2) if n % 5]
        assert both.heard(client) == [b"to %d" % number for number in answered]
    assert both.datagrams.answer(answer, 8) == (0, 0)


def test_what_comes_beyond_a_batch_waits_for_the_next(both: Both) -> None:
    for _round in range(3):  # every slot is used again
        for number in range(BATCH + 3):
            both.clients[0].send(b"%d" % number)
        counts = [both.datagrams.answer(lambda data, _client, _now_s: data, 0) for _ in range(3)]
        assert counts == [(BATCH, 0), (3, 0), (0, 0)]
        assert both.heard(0) == [b"%d" % number for number in range(BATCH + 3)]


def test_lengths_are_those_of_each(both: Both) -> None:
    said = [b"", b"x", b"y" * SLOT_BYTES, b"z" * (SLOT_BYTES + 9), b"", b"abc"]
    for data in said:
        both.clients[1].send(data)
    asked = []

    def answer(data: bytes, _client: bytes, _now_s: int) -> bytes:
        asked.append(data)
        return data[:1] * (SLOT_BYTES - len(data))

    both.datagrams.answer(answer, 0)
    assert asked == [data[:SLOT_BYTES] for data in said]
    assert both.heard(1) == [b"", b"x" * 63, b"", b"", b"", b"a" * 61]


def test_a_fault_is_raised_when_the_others_are_answered(both: Both) -> None:
    for data in (b"1", b"2", b"3"):
        both.clients[0].send(data)

    def answer(data: bytes, _client: bytes, _now_s: int) -> bytes:
        return b"%d" % (6 // (int(data) - 2))

    with pytest.raises(ZeroDivisionError):
        both.datagrams.answer(answer, 0)
    assert both.heard(0) == [b"-6", b"6"]


def test_answers_that_the_kernel_does_not_take_are_counted(both: Both) -> None:
    for data in (b"1", b"2", b"3"):
        both.clients[0].send(data)

    def answer(data: bytes, _client: bytes, _now_s: int) -> bytes | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            os.dup2(other.fileno(), both.server.fileno())  # it has no such addresses
        return None if data == b"2" else data

    assert both.datagrams.answer(answer, 0) == (3, 2)
    assert both.heard(0) == []


def test_what_the_kernel_writes_to_never_moves(both: Both) -> None:
    for number in range(BATCH):
        both.clients[0].send(b"%d" % number)

    def too_long(data: bytes, _client: bytes, _now_s: int) -> bytes | None:
        return bytes(SLOT_BYTES + 1) if int(data) == BATCH - 1 else None

    with pytest.raises(BufferError):
        both.datagrams.answer(too_long, 0)
    both.clients[0].send(b"1")
    assert both.datagrams.answer(lambda data, _client, _now_s: data, 0) == (1, 0)
    assert both.heard(0) == [b"1"]
