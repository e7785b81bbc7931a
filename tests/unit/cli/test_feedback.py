"""What is wrong in a command to a feedback process is said before anybody is asked."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from headrace.cli import feedback as commands
from headrace.cli.admin_client import AdminRefused
from headrace.cli.main import app
from headrace.feedback.admin.models import Because, Done


class _Admin:
    """An admin API that knows one server, and has no history of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self.lines = b""

    def ask(self, answer: type[object], method: str, path: str, body: object = None) -> object:
        self.asked.append((method, path, body))
        if "nosuch" in path:
            raise AdminRefused(404, "the network has no server or site 'nosuch'")
        return Done(7) if answer is Done else Because("n1", "server", [])

    def open(self, _method: str, _path: str) -> tuple[_Admin, _Admin]:
        return self, self

    def read(self, most_bytes: int) -> bytes:
        return self.lines[:most_bytes]

    def close(self) -> None:
        """Close nothing."""


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> _Admin:
    found = _Admin()
    monkeypatch.setattr(commands, "find_admin", lambda *_arguments: found)
    return found


@pytest.mark.parametrize(
    "command",
    [("want", "n1", "sleeping"), ("mode", "dryrun"), ("want", "n1", "draining", "--for", "2x")],
)
def test_a_word_that_is_none_of_the_commands_is_wrong_use(
    admin: _Admin, command: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(app, ["feedback", *command])
    assert result.exit_code == 2
    assert not admin.asked


@pytest.mark.parametrize("written", ["dry-run", "dry_run"])
def test_a_mode_may_be_written_as_in_the_configuration(admin: _Admin, written: str) -> None:
    result = CliRunner().invoke(app, ["feedback", "mode", written])
    assert result.exit_code == 0
    [(_method, path, body)] = admin.asked
    assert path == "/feedback/mode"
    assert isinstance(body, dict)
    assert body["mode"] == "dry_run"


@pytest.mark.parametrize(
    ("environment", "by"),
    [({"SUDO_USER": "ann", "USER": "root"}, "ann@"), ({"USER": "bob"}, "bob@"), ({}, "@")],
)
def test_an_order_says_who_gave_it(
    admin: _Admin, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], by: str
) -> None:
    for name in ("SUDO_USER", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(app, ["feedback", "thaw"]).exit_code == 0
    [(_method, _path, body)] = admin.asked
    assert isinstance(body, dict)
    assert by in body["by"]
    assert not body["by"].startswith("@")


def test_the_history_of_what_does_not_exist_is_no_empty_one(admin: _Admin) -> None:
    result = CliRunner().invoke(app, ["feedback", "history", "nosuch"])
    assert result.exit_code == 1
    assert "no server or site 'nosuch'" in result.output


def test_an_empty_history_is_said(admin: _Admin) -> None:
    result = CliRunner().invoke(app, ["feedback", "history", "n1"])
    assert result.exit_code == 0
    assert "nothing has changed" in result.output


def test_the_history_of_a_server_that_is_gone_is_printed(admin: _Admin) -> None:
    admin.lines = b'{"at": 0, "server": "nosuch", "before": "online", "after": "failed"}\n'
    result = CliRunner().invoke(app, ["feedback", "history", "nosuch"])
    assert result.exit_code == 0
    assert "online -> failed" in result.output
    assert not admin.asked
