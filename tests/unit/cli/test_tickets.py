"""`headrace tickets`: secrets are added in time, dropped when they are of no use, never shown."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.cli.tickets import TicketFileError
from headrace.config.ticket_secrets import (
    ALWAYS,
    MOST_SECRETS,
    PERIOD_S,
    TicketSecret,
    period_at,
    read_ticket_secrets,
    text_of,
)

NOW = 1_790_000_000.0


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    set_clock(monkeypatch, NOW)
    return tmp_path / "ticket.secrets"


def set_clock(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    monkeypatch.setattr(time, "time", lambda: now)


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["tickets", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_first_secret_is_in_force_at_once_and_its_file_is_the_owners_alone(file: Path) -> None:
    run("new", file)
    (one,) = read_ticket_secrets(file)
    assert one.begins == ALWAYS
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("show", file) == f"{one.id}  the beginning         in force\n"


def test_the_next_begins_a_period_or_more_from_now_and_is_added_once(file: Path) -> None:
    run("new", file)
    file.chmod(0o640)
    run("new", file)
    first, second = read_ticket_secrets(file)
    assert NOW + PERIOD_S < second.begins <= NOW + 2 * PERIOD_S
    assert second.begins % PERIOD_S == 0
    assert "is new already" in run("new", file)
    assert read_ticket_secrets(file) == (first, second)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_a_secret_is_dropped_when_it_opens_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("new", file)
    run("new", file)
    first, second = read_ticket_secrets(file)
    for periods, kept in ((2, (first, second)), (3, (second,))):
        set_clock(monkeypatch, NOW + periods * PERIOD_S)
        run("new", file)
        assert read_ticket_secrets(file)[: len(kept)] == kept
        assert first in kept or first not in read_ticket_secrets(file)


def test_what_was_stolen_is_forgotten(file: Path) -> None:
    run("new", file)
    run("new", file)
    before = read_ticket_secrets(file)
    run("new", "--forget", file)
    (one,) = read_ticket_secrets(file)
    assert one not in before
    assert one.begins == ALWAYS
    # Where everybody can read it, the new one is stolen as soon.
    file.chmod(0o644)
    assert "chmod o-rwx" in run("new", "--forget", file)


def test_secrets_are_not_shown(file: Path) -> None:
    shown = run("new", file) + run("new", file) + run("show", file) + run("show", "--json", file)
    for one in read_ticket_secrets(file):
        assert one.secret.decode() not in shown
        assert one.id in shown


def test_states_are_told_apart(file: Path) -> None:
    period = period_at(NOW)
    begins = [ALWAYS, *(float((period + by) * PERIOD_S) for by in (-3, 0, 1))]
    file.write_bytes(text_of([TicketSecret(at, b"%d" % i * 32) for i, at in enumerate(begins)]))
    states = [row["state"] for row in json.loads(CliRunner().invoke(
        app, ["tickets", "show", "--json", str(file)]
    ).stdout)]  # fmt: skip
    assert states == ["not needed", "was in force", "in force", "to come"]


def test_what_servers_would_refuse_or_report_is_said(file: Path) -> None:
    file.write_bytes(text_of([TicketSecret(NOW + 2 * PERIOD_S, b"s" * 32)]))
    file.chmod(0o644)
    output = run("show", file)
    assert "none of its secrets is in force" in output
    assert "is open to every user" in output


def test_files_of_no_use_are_left_as_they_are(file: Path) -> None:
    file.write_bytes(b"short\n")
    for command in ("new", "show"):
        with pytest.raises(TicketFileError, match="shorter than 32"):
            run(command, file)
    assert file.read_bytes() == b"short\n"


def test_a_file_does_not_grow_for_ever(file: Path) -> None:
    to_come = [TicketSecret(NOW + at, b"s" * 32) for at in range(1, MOST_SECRETS)]
    file.write_bytes(text_of([TicketSecret(ALWAYS, b"s" * 32), *to_come]))
    with pytest.raises(TicketFileError, match=f"{MOST_SECRETS + 1} secrets then"):
        run("new", file)
