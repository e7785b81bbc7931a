"""An origin that ignores the content of requests must not answer the next client with it.

The client hides the beginning of a request in the content of another. The origin reads heads only,
so whatever is sent on that connection next ends the hidden head, and the answer is to that.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.edge import Edge, running_edge

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: example.test\r\nX: "


def answer(path: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n"
    return head % len(path) + path


def converse(sock: socket.socket) -> None:
    """Read heads, and answer each with the path it asks for; content is not even looked at."""
    buffer = b""
    with sock, contextlib.suppress(OSError):
        while data := sock.recv(65536):
            buffer += data
            while b"\r\n\r\n" in buffer:
                head, _end, buffer = buffer.partition(b"\r\n\r\n")
                for line in head.split(b"\r\n"):
                    if line.endswith(b" HTTP/1.1"):
                        sock.sendall(answer(line.split(b" ")[1]))
                        break


@contextlib.contextmanager
def deaf_origin() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _address = listener.accept()
                    threading.Thread(target=converse, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with (
        deaf_origin() as url,
        running_edge(url, tmp_path_factory.mktemp("smuggled"), {"workers": 1}) as running,
    ):
        yield running


def test_content_that_the_origin_ignores_is_answered_to_no_one(edge: Edge) -> None:
    for number in range(20):
        with edge.client() as attacker:
            attacker.send(
                b"POST /upload HTTP/1.1\r\nHost: example.test\r\nContent-Length: %d\r\n\r\n"
                % len(HIDDEN)
                + HIDDEN
            )
            assert attacker.response().body == b"/upload"
        with edge.client() as victim:
            victim.ask(f"/account/{number}")
            assert victim.response().body == b"/account/%d" % number


def test_chunks_that_the_origin_ignores_are_answered_to_no_one(edge: Edge) -> None:
    for number in range(20):
        with edge.client() as attacker:
            attacker.send(
                b"PUT /upload HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"%x\r\n" % (len(HIDDEN) + 4) + b"\r\n\r\n" + HIDDEN + b"\r\n0\r\n"
                b"\r\n"
            )
            assert attacker.response().status == 200
        with edge.client() as victim:
            victim.ask(f"/account/{number}")
            assert victim.response().body == b"/account/%d" % number


def test_requests_without_content_share_a_connection(tmp_path: Path) -> None:
    connections: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, address = listener.accept()
                    connections.append(address)
                    threading.Thread(target=converse, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with running_edge(url, tmp_path, {"workers": 1}) as edge:
            for number in range(5):
                assert edge.get(f"/{number}").body == b"/%d" % number
        listener.shutdown(socket.SHUT_RDWR)
    assert len(connections) == 1
