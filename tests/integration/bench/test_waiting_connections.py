"""Connections of the bench's load that wait for their turn, at a server that counts requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from bench.speed import mixed
from bench.speed.load import WrongAnswer
from bench.speed.steady import Ask, Load
from bench.speed.work import Running

CONNECTIONS = 5
BODY_BYTES = 10


class Counting:
    """Answers everything with the same body; knows how often each connection has asked."""

    def __init__(self, answers_each: int | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._answers_each = answers_each
        self.asked: list[int] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number = len(self.asked)
            self.asked.append(0)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES + bytes(BODY_BYTES)
        with sock:
            while self.asked[number] != self._answers_each:
                try:
                    got = sock.recv(65536)
                except OSError:
                    return
                if not got:
                    return
                self.asked[number] += 1
                sock.sendall(answer)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Counting]:
    counting = Counting()
    yield counting
    counting.close()


def test_each_connection_of_mixed_load_has_asked_before_the_first_slice(
    server: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("CONNECTIONS", CONNECTIONS), ("OBJECTS", 1), ("ACCEPTED_S", 0.0),
        ("SEGMENT_BYTES", BODY_BYTES), ("MANIFEST_BYTES", BODY_BYTES),
    ):  # fmt: skip
        monkeypatch.setattr(mixed, name, value)
    nothing = cast("Any", None)
    digests = cast("Any", {"segment": None, "manifest": None})
    peer = Running("x", nothing, nothing, server.port, 0, Path(), Path(), quick_digests=digests)
    (timed,) = [work for work in mixed.WORKS if work.letter == mixed.TIMED]
    with timed.opened(peer):
        assert server.asked[-CONNECTIONS:] == [1] * CONNECTIONS


def test_a_server_that_closes_a_waiting_connection_is_said_to_have_done_so() -> None:
    closing = Counting(answers_each=1)
    ask = Ask("x", "/", BODY_BYTES, None)
    try:
        with (
            Load(closing.port, 2) as client,
            pytest.raises(WrongAnswer, match="closed a connection that waited"),
        ):
            client.at_rate(lambda _number: ask, 2.0, 2.0)
    finally:
        closing.close()
