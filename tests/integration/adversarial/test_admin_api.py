"""Strangers at the admin API: what they send is refused as a problem, and none stays."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.node.admin.held_connections import CONNECTIONS, FIRST_REQUEST_S
from tests.harness.edge import TOKEN, Edge, running_edge
from tests.harness.origin import Origin

ASK = f"GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()


@pytest.fixture(scope="module")
def admin(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory: Path = tmp_path_factory.mktemp("admin")
    with running_edge(origin.url, directory, {"workers": 1}) as edge:
        yield edge


def connected(edge: Edge, said: bytes = b"") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", edge.admin_port), 20)
    sock.sendall(said)
    return sock


def answer(edge: Edge, said: bytes) -> tuple[int, str, bytes]:
    """Status, media type and body of the answer to these bytes."""
    with connected(edge, said) as sock:
        sock.settimeout(20)
        text = b""
        while b"\r\n\r\n" not in text:
            part = sock.recv(65536)
            assert part, text
            text += part
        head, _end, body = text.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        while len(body) < int(fields[b"content-length"]):
            body += sock.recv(65536)
        return int(head.split()[1]), fields[b"content-type"].split(b";")[0].decode(), body


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \xff\r\n\r\n", 401),
        (b"GET /stats HTTP/1.1\r\nHost: \xff\r\n\r\n", 403),
        (b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"a: b\r\n" * 500 + b"\r\n", 400),
        (b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 401),
        (b"BREW /stats HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (
            b"POST /purge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\nContent-Length: 100000\r\n\r\n"
            + b"x" * 100_000,
            413,
        ),
    ],
)  # fmt: skip
def test_whatever_is_sent_is_answered_with_a_problem(admin: Edge, said: bytes, status: int) -> None:
    found, kind, body = answer(admin, said)
    assert (found, kind) == (status, "application/problem+json"), body
    assert json.loads(body)["status"] == status


def test_the_silent_the_half_sent_and_the_dripping_are_cut_off(admin: Edge) -> None:
    with contextlib.ExitStack() as stack:
        begun = time.monotonic()
        held = [
            stack.enter_context(connected(admin, said))
            for said in (
                b"",
                b"GET /stats HTTP/1.1\r\n",
                b"POST /purge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer " + TOKEN.encode() + b"\r\nContent-Length: 50\r\n\r\n{",
            )
        ]
        for sock in held:
            sock.settimeout(3 * FIRST_REQUEST_S)
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(4096):
                    pass
        assert time.monotonic() - begun < 2 * FIRST_REQUEST_S + 5


def test_a_crowd_of_strangers_does_not_keep_an_operator_out(admin: Edge) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * CONNECTIONS):
            stack.enter_context(connected(admin, b"GET /stats HTTP/1.1\r\n"))
        for _ in range(3):
            assert admin.ask_admin("GET", "/stats").status == 200
            assert admin.ask_admin("POST", "/reload").status == 200


def test_no_one_holds_an_answer_without_reading_it(admin: Edge) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(connected(admin))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with contextlib.suppress(OSError):
                sock.sendall(ASK * 20)
        assert admin.ask_admin("GET", "/stats").status == 200
