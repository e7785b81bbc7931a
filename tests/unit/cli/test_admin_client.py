"""Commands say which node does not answer, and whose file or admin API they were given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli import admin_client
from headrace.cli.admin_client import AdminClient, NodeUnreachable
from headrace.cli.main import app
from headrace.config.addresses import parse_address

FEEDBACKS = 'state_dir = "s"\ntick = "1s"\n[network]\nfile = "n"\n'
EDGES = 'cache_dir = "c"\n[[service]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("command", "file", "told"),
    [
        (("top", "--once"), FEEDBACKS, "configures a feedback process, and this asks an edge or"),
        (("log",), FEEDBACKS, "headrace feedback status shows what a feedback process knows"),
        (("feedback", "status"), EDGES, "configures an edge, and this asks a feedback"),
        (("purge", "--all"), 'state_dir = "s"\n[dns]\n', "configures a router, and this asks an"),
    ],
)
def test_the_file_of_another_role_is_named_in_one_line(
    tmp_path: Path, command: tuple[str, ...], file: str, told: str
) -> None:
    path = tmp_path / "some.toml"
    path.write_text(file)
    result = CliRunner().invoke(app, [*command, "--config", str(path)])
    assert result.exit_code == 2
    assert told in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("feedback", "status"), "is the feedback process running"),
        (("top", "--once"), "is the edge or router running"),
        (("purge", "--all"), "is the edge running"),
    ],
)
def test_the_node_that_does_not_answer_is_named(
    tmp_path: Path, command: tuple[str, ...], told: str
) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    nobody = f"unix:{tmp_path}/none.sock"
    result = CliRunner().invoke(app, [*command, "--admin", nobody, "--token-file", str(token)])
    assert result.exit_code == 1
    assert told in result.output


def test_a_node_that_hangs_is_said_to_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_client, "LOOK_S", 0.05)
    hanging = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    try:
        client = AdminClient(parse_address(f"127.0.0.1:{hanging.server_port}"), "x", "router")
        with pytest.raises(NodeUnreachable, match="the router hangs"):
            client.open("GET", "/top")
    finally:
        hanging.server_close()


class _Another(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": 404, "detail": "nothing at /feedback/status: see /openapi.json"}'
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def _another_node() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Another)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_admin_api_of_another_role_is_asked_about(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    with _another_node() as address:
        command = ["feedback", "status", "--admin", address, "--token-file", str(token)]
        result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert f"is {address} the admin API of a feedback process?" in result.output


@pytest.mark.parametrize("content", ["a\nsecret", "", "caf\u00e9", "a\x1b[2J"])
def test_a_file_that_holds_no_token_is_named_and_not_shown(tmp_path: Path, content: str) -> None:
    token = tmp_path / "token"
    token.write_text(content, "utf-8")
    asked = ["feedback", "status", "--admin", "127.0.0.1:9", "--token-file", str(token)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2
    assert f"{token} does not hold a token" in result.output
    assert "secret" not in result.output


def test_an_edge_that_hangs_keeps_no_other_from_a_purge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    monkeypatch.setattr(admin_client, "CHANGE_S", 0.3)
    monkeypatch.setattr(admin_client, "LOOK_S", 0.3)
    hanging = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    hangs = f"127.0.0.1:{hanging.server_port}"
    try:
        with _another_node() as address:
            for what in ("--all", "--list"):
                places = ["--admin", hangs, "--admin", address, "--token-file", str(token)]
                result = CliRunner().invoke(app, ["purge", what, *places])
                assert result.exit_code == 1
                first, second = result.output.splitlines()
                assert address in first  # though it was named last
                assert f"no answer from {hangs} in time" in second
    finally:
        hanging.server_close()
