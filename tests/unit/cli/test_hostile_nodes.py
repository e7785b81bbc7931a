"""Whatever a node or router answers, a command prints nothing that a terminal would obey, and says
in a line what is wrong.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from headrace.cli import admin_client
from headrace.cli.locate import RouterRefused
from headrace.cli.main import app
from headrace.cli.top import table
from headrace.node.admin.activity import Top
from headrace.router.explain import Explanation
from headrace.routing.explain import Step

ESCAPE = "\x1b]0;mine\x07\x9b2J\u202e"
TITLE = json.dumps(ESCAPE).encode()


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that answers everything so; its address."""

    class Hostile(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(tmp_path: Path, status: int, body: bytes, *command: str) -> tuple[int, str]:
    """The exit code and all that a command says when it is answered so."""
    token = tmp_path / "token"
    token.write_text("x")
    with answering(status, body) as address:
        result = CliRunner().invoke(
            app, [*command, "--admin", address, "--token-file", str(token)], color=True
        )
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def is_harmless(output: str) -> bool:
    return all(one.isprintable() or one == "\n" for one in output)


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize(
    "body",
    [b'{"detail":%s}' % TITLE, b'{"time":%s}' % TITLE, TITLE, b"[" * 100_000, b"[1]\n", b"\xff"],
)
@pytest.mark.parametrize(
    "command",
    [
        ("top", "--once"),
        ("log", "--json"),
        ("log",),
        ("feedback", "history"),
        ("feedback", "history", "--json"),
        ("feedback", "orders"),
        ("feedback", "thaw"),
    ],
)
def test_an_answer_that_is_none_is_said_in_a_line(
    tmp_path: Path, command: tuple[str, ...], body: bytes, status: int
) -> None:
    _code, output = told(tmp_path, status, body, *command)
    assert is_harmless(output)
    assert len(output.splitlines()) <= 2


def test_names_in_the_figures_are_written_out() -> None:
    figures = Top(
        seconds=1.0,
        requests_per_s=1.0,
        hit_ratio=None,
        sent_bytes_per_s=0,
        origin_bytes_per_s=0,
        connections=0,
        fills=0,
        cache_per_s={ESCAPE: 1.0},
        status_per_s={ESCAPE: 1.0},
        not_stored_per_s={ESCAPE: 1.0},
        origins=[],
        services=[],
        objects=[],
        objects_sampled=0,
        clients=[],
    )
    shown = table(figures, 200)
    assert any(r"\x1b]0;mine" in line for line in shown)
    assert is_harmless("\n".join(shown))


def test_an_answer_without_an_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_client, "LARGEST_ANSWER_BYTES", 100)
    code, output = told(tmp_path, 200, b'"' + b"a" * 200 + b'"', "top", "--once")
    assert code == 1
    assert "is not an admin API" in output


DRIPS = {
    "a head": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"1"),
    "a refusal": (b"HTTP/1.1 403 No\r\nContent-Length: 100000\r\n\r\n", b"1"),
    "answers before the answer": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@contextmanager
def dripping(first: bytes, then: bytes) -> Iterator[str]:
    """A server that begins to answer and always says a little more; its address."""
    ended = threading.Event()

    class Drips(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(first)
                while not ended.wait(0.01):
                    self.request.sendall(then)

    server = socketserver.TCPServer(("127.0.0.1", 0), Drips)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("what", DRIPS)
@pytest.mark.parametrize("command", [("status",), ("history",), ("freeze",)])
def test_a_node_that_always_says_a_little_holds_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], what: str
) -> None:
    monkeypatch.setattr(admin_client, "WHOLE_S", 0.1)
    token = tmp_path / "token"
    token.write_text("x")
    with dripping(*DRIPS[what]) as address:
        result = CliRunner().invoke(
            app, ["feedback", *command, "--admin", address, "--token-file", str(token)]
        )
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "in time: the feedback process hangs" in result.output


def test_a_history_that_is_cut_is_said_in_a_line(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_once, args=(server, cut))
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        result = CliRunner().invoke(
            app, ["feedback", "history", "--admin", address, "--token-file", str(token)]
        )
        thread.join()
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "no answer from" in result.output


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _address = server.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(answer)


def test_words_in_the_history_are_written_out(tmp_path: Path) -> None:
    event = msgspec.json.encode({"at": 0, "server": "n1", "note": ESCAPE})
    for options in ((), ("--json",)):
        code, output = told(tmp_path, 200, event + b"\n", "feedback", "history", *options)
        assert code == 0
        assert is_harmless(output)
        assert "9b2J" in output
    assert json.loads(output)["note"] == ESCAPE


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_what_a_router_says_of_a_decision_is_written_out(as_json: tuple[str, ...]) -> None:
    decision = Explanation(
        ESCAPE, 0, None, ESCAPE, "", "", "", 0, False, [], [Step(ESCAPE, ESCAPE)]
    )
    with answering(200, msgspec.json.encode(decision)) as address:
        result = CliRunner().invoke(
            app,
            ["locate", "http://a.test/x", "--router", f"http://{address}", *as_json],
            color=True,
        )
    shown = r"\u001b" if as_json else r"\x1b"
    assert f"{shown}]0;mine" in result.output
    assert is_harmless(result.output)
    if as_json:
        assert json.loads(result.output)["network"] == ESCAPE


@pytest.mark.parametrize("body", [b"[" * 100_000, ESCAPE.encode(), b'{"detail":%s}' % TITLE])
def test_why_a_router_refuses_is_written_out(body: bytes) -> None:
    with answering(403, body) as address, pytest.raises(RouterRefused) as refused:
        CliRunner().invoke(
            app,
            ["locate", "http://a.test/x", "--router", f"http://{address}"],
            catch_exceptions=False,
        )
    assert is_harmless(str(refused.value))
