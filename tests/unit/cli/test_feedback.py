"""What is wrong in a command to a feedback process is said before anybody is asked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from headrace.cli import feedback as commands
from headrace.cli import feedback_orders
from headrace.cli.admin_client import AdminRefused
from headrace.cli.feedback_orders import order_lines
from headrace.cli.main import app
from headrace.feedback.admin.models import Because, Done, OrderList, OrderRow, Status
from tests.unit.cli.test_feedback_tables import STATUS

ROW = OrderRow(
    "server", "n1", "draining", "in_force", "ann@desk", "disks", "a", 7, 0.0, known_by=["a", "b"]
)


class _Admin:
    """An admin API that knows one server, and has no history of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self.lines = b""
        self.orders = [OrderList([ROW], [])]

    def ask(self, answer: type[object], method: str, path: str, body: object = None) -> object:
        self.asked.append((method, path, body))
        if "nosuch" in path:
            raise AdminRefused(404, "the network has no server or site 'nosuch'")
        if answer is Status:
            return STATUS
        if answer is OrderList:
            return self.orders.pop(0) if len(self.orders) > 1 else self.orders[0]
        return Done(7, "a") if answer is Done else Because("n1", "server", [])

    def read(self, _method: str, _path: str) -> bytes:
        return self.lines


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
    _method, path, body = admin.asked[0]
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
    _method, _path, body = admin.asked[0]
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


def test_whoever_orders_is_told_when_all_know_it(
    admin: _Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_orders, "ASK_AGAIN_S", 0.0)
    waits = replace(ROW, known_by=["a"], heard_without=["b"])
    admin.orders = [OrderList([waits], ["c"]), OrderList([ROW], ["c"])]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "draining"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "in force",
        "known by a, b",
        "not heard now: c; told as soon as that is possible",
    ]


def test_an_order_that_a_full_disk_did_not_take_is_told_of(
    admin: _Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_orders, "ASK_AGAIN_S", 0.0)
    writes = OrderList([ROW], [], kept=False)
    admin.orders = [writes, writes, replace(writes, not_kept="No space left on device")]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "draining"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "in force",
        "known by a, b",
        "not written down: No space left on device; tried again until it is",
    ]
    admin.orders = [replace(admin.orders[0], orders=[replace(ROW, known_by=["a"])])]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "draining"])
    assert result.output.splitlines()[-1].endswith(
        "; a restart forgets what no other observer knows"
    )
    assert "not written down: No space" in CliRunner().invoke(app, ["feedback", "orders"]).output


def test_whoever_is_overruled_is_told_by_whom(admin: _Admin) -> None:
    by = "bob@den, at b, 1970-01-01T00:00:00Z: withdrawn: fire"
    admin.orders = [OrderList([replace(ROW, state="overruled", overruled_by=by)], [])]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "draining"])
    assert result.exit_code == 1
    assert f"overruled by another order, given at the same time: {by}" in result.output
    admin.orders = [
        OrderList([replace(ROW, wants="none", state="taken_back", overruled_by=by)], [])
    ]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "none"])
    assert result.exit_code == 1
    assert f"taken back, but another order was given at the same time: {by}" in result.output
    admin.orders = [OrderList([], [])]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "none"])
    assert result.exit_code == 1
    assert "another order about the same was given since" in result.output


def test_whoever_orders_at_an_observer_that_is_cut_off_is_told_so(admin: _Admin) -> None:
    admin.orders = [OrderList([ROW], ["b", "c"], aside=True)]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "draining"])
    assert result.exit_code == 1
    assert "not in force" in result.output
    assert "give it at one of these: b, c" in result.output
    listed = CliRunner().invoke(app, ["feedback", "orders"])
    assert "publishes nothing" in listed.output


def test_an_order_that_not_all_know_is_waited_for_no_longer_than_a_while(
    admin: _Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_orders, "KNOWN_WITHIN_S", 0.0)
    admin.orders = [OrderList([replace(ROW, heard_without=["b"])], [])]
    result = CliRunner().invoke(app, ["feedback", "want", "n1", "draining"])
    assert result.exit_code == 0
    assert "not yet known by b" in result.output


def test_orders_are_listed() -> None:
    by = "bob@den, at b, 1970-01-01T00:00:00Z: withdrawn: fire"
    rows = [
        replace(ROW, until=60.0),
        replace(ROW, state="overruled", overruled_by=by),
        replace(ROW, kind="view", subject="view", wants="frozen", heard_without=["b"], reason=""),
        replace(ROW, wants="none", state="taken_back", overruled_by=f"still {by}"),
    ]
    assert list(order_lines(OrderList(rows, ["c"]))) == [
        "1970-01-01 00:00:00Z  n1 draining by ann@desk at a: disks",
        "    in force until 1970-01-01 00:01:00Z; known by a, b",
        "1970-01-01 00:00:00Z  n1 draining by ann@desk at a: disks",
        f"    overruled by {by}; known by a, b",
        "1970-01-01 00:00:00Z  view frozen by ann@desk at a",
        "    in force; known by a, b",
        "    not yet by b",
        "1970-01-01 00:00:00Z  n1 none by ann@desk at a: disks",
        f"    taken back; still {by}; known by a, b",
        "not heard: c",
    ]


@pytest.mark.parametrize(("words", "times"), [((), 1), (("--json",), 1), (("--watch",), 3)])
def test_the_state_is_printed_once_unless_it_is_watched(
    admin: _Admin, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], times: int
) -> None:
    """As `headrace vip status` does it."""

    def sleep(_s: float) -> None:
        if len(admin.asked) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("headrace.cli.feedback.time.sleep", sleep)
    found = CliRunner().invoke(app, ["feedback", "status", *words])
    assert found.exit_code == 0, found.output
    assert len(admin.asked) == times
    assert "n2" in found.output
