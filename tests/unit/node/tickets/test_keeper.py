"""The supervisor's secrets for session tickets: over time, and as their file changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from headrace.config.ticket_secrets import (
    ALWAYS,
    PERIOD_S,
    TicketSecret,
    period_at,
    text_of,
)
from headrace.node.messages import TakeTicketSecrets
from headrace.node.tickets.keeper import TicketKeeper, TicketSecretsError
from headrace.node.tickets.periods import SharedSecrets, secrets_at

START = 1_790_000_000.0
A, B = TicketSecret(ALWAYS, b"a" * 32), TicketSecret(ALWAYS, b"b" * 32)


class Node:
    """A keeper and one worker that hears it."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = START
        self.heard: list[TakeTicketSecrets] = []
        self.channel = cast(Any, self)
        self.file = tmp_path / "ticket.secrets"
        self.keeper = TicketKeeper(lambda: [self], lambda: self.now)

    def send(self, message: TakeTicketSecrets) -> None:
        self.heard.append(message)

    @property
    def last(self) -> tuple[bytes, ...]:
        return tuple(self.heard[-1].secrets)

    def write(self, *secrets: TicketSecret) -> None:
        new = self.file.with_name("new")
        new.write_bytes(text_of(secrets))
        new.chmod(0o600)
        new.replace(self.file)

    def use(self, *secrets: TicketSecret) -> None:
        self.write(*secrets)
        self.keeper.use(self.keeper.read(self.file))

    def expect(self, *secrets: TicketSecret) -> None:
        assert self.last == secrets_at(self.now, SharedSecrets(secrets))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_random_secrets_change_with_the_period(node: Node) -> None:
    before = node.last
    node.keeper.step()
    assert node.last == before
    assert len(node.heard) == 1
    node.now += PERIOD_S
    node.keeper.step()
    assert node.last[:2] == (before[2], before[0])
    assert before[1] not in node.last
    assert len(node.heard) == 2


def test_a_new_worker_is_told(node: Node) -> None:
    node.use(A)
    node.keeper.welcome(node)
    assert node.heard[-1] == node.heard[-2]
    node.expect(A)


def test_the_file_is_never_sent_to_workers(node: Node) -> None:
    node.use(A)
    assert all(A.secret not in secret for one in node.heard for secret in one.secrets)


def test_a_changed_file_is_followed(node: Node) -> None:
    node.use(A)
    node.write(B)
    with capture_logs() as logs:
        node.keeper.step()
        node.keeper.step()
    node.expect(B)
    assert logs == [{"event": "ticket_secret_in_force", "log_level": "info", "secret": B.id}]
    assert node.keeper.id_in_force == B.id


def test_a_secret_to_come_takes_its_turn(node: Node) -> None:
    later = TicketSecret((period_at(START) + 2) * float(PERIOD_S), b"b" * 32)
    node.use(A)
    node.write(A, later)
    for ids in (A.id, A.id, later.id, later.id):
        node.keeper.step()
        node.expect(A, later)
        assert node.keeper.id_in_force == ids
        node.now += PERIOD_S


@pytest.mark.parametrize(
    "text", [b"", A.secret[:20], A.secret, b"garbage\n", b"2999-01-01T00:00Z " + B.secret + b"\n"]
)
def test_a_file_of_no_use_changes_nothing_and_is_reported_once(node: Node, text: bytes) -> None:
    node.use(A)
    node.file.write_bytes(text)
    with capture_logs() as logs:
        node.keeper.step()
        node.keeper.step()
        node.now += PERIOD_S
        node.keeper.step()
    assert [line["event"] for line in logs] == ["ticket_secrets_refused"]
    node.expect(A)
    node.write(B)
    node.keeper.step()
    node.expect(B)


def test_a_lost_file_changes_nothing(node: Node) -> None:
    node.use(A)
    node.file.unlink()
    node.now += PERIOD_S
    node.keeper.step()
    node.expect(A)


def test_a_file_that_all_can_read_is_reported(node: Node) -> None:
    node.use(A)
    node.write(B)
    node.file.chmod(0o644)
    with capture_logs() as logs:
        node.keeper.step()
    assert [line["event"] for line in logs] == ["secret_file_exposed", "ticket_secret_in_force"]


def test_a_file_is_refused_before_anything_changes(node: Node) -> None:
    before = node.last
    node.file.write_bytes(b"short\n")
    with pytest.raises(TicketSecretsError, match=r"ticket\.secrets: its line 1"):
        node.keeper.read(node.file)
    node.keeper.step()
    assert node.last == before


def test_without_the_file_secrets_are_random_again(node: Node) -> None:
    own = node.last
    node.use(A)
    node.keeper.use(node.keeper.read(None))
    assert node.last == own
    assert node.keeper.id_in_force == ""


def test_a_clock_that_was_set_back_far_changes_nothing(node: Node) -> None:
    node.use(TicketSecret(START - PERIOD_S, b"a" * 32))
    before = node.last
    node.now -= 10 * PERIOD_S
    node.keeper.step()
    assert node.last == before
