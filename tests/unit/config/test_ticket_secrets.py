"""The file with the secrets for session tickets: what is read, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.config.ticket_secrets import (
    ALWAYS,
    MOST_FILE_BYTES,
    PERIOD_S,
    TicketSecret,
    in_force,
    none_in_force,
    parse_ticket_secrets,
    read_ticket_secrets,
    text_of,
)

A, B = b"a" * 32, b"b" * 40
AT_THREE = 1_795_662_000.0  # 2026-11-26T03:00:00Z


def test_secrets_stand_behind_the_time_from_which_they_are_in_force() -> None:
    text = b"# of the site oslo\n\n2026-11-26T03:00:00Z\t" + B + b"\n  " + A + b"\r\n"
    assert parse_ticket_secrets(text) == (TicketSecret(ALWAYS, A), TicketSecret(AT_THREE, B))


@pytest.mark.parametrize("time", [b"2026-11-26T03:00Z", b"2026-11-26T04:30:00+01:30"])
def test_times_may_be_written_in_several_ways(time: bytes) -> None:
    assert parse_ticket_secrets(time + b" " + A + b"\n")[0].begins == AT_THREE


def test_the_newest_that_has_begun_is_in_force() -> None:
    first, second = TicketSecret(1.0, A), TicketSecret(5.0, B)
    found = [in_force([second, first], at) for at in (0.0, 1.0, 4.9, 5.0)]
    assert found == [None, first, first, second]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "no secret in it"),
        (b"# nothing\n", "no secret in it"),
        (A, "its last line has no end"),
        (A + b"\n" + B[:35], "its last line has no end"),
        (b"short\n", "its line 1 has a secret shorter than 32 characters"),
        (A + b"\n2026-11-26T03:00:00Z abc\n", "its line 2 has a secret shorter than 32"),
        (A + b"\n2026-11-26T03:00:00Z\n", "its line 2 has a time and no secret behind it"),
        (A + b"\n" + B + b"\n", "its line 2 begins when another one does"),
        (b"tomorrow " + A + b"\n", "its line 1 begins with no time such as"),
        (b"2026-13-26T03:00:00Z " + A + b"\n", "its line 1 begins with no time such as"),
        (b"2026-11-26T03:00:00 " + A + b"\n", "its line 1 begins with no time such as"),
        (b"a b " + A + b"\n", "its line 1 has 3 words"),
        (b"#" * MOST_FILE_BYTES + b"\n", "too long"),
        (b"".join(b"2026-11-%02dT00:00Z " % (d + 1) + A + b"\n" for d in range(17)), "17 secrets"),
    ],
)
def test_what_is_of_no_use_is_refused(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_ticket_secrets(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        found = parse_ticket_secrets(text)
    except ValueError:
        return
    assert all(len(one.secret) >= 32 for one in found)


def test_no_part_of_a_file_is_taken_for_the_whole() -> None:
    whole = text_of([TicketSecret(ALWAYS, A), TicketSecret(AT_THREE, B)])
    assert len(parse_ticket_secrets(whole)) == 2
    for cut in range(len(whole)):
        if whole[:cut].endswith(b"\n"):
            continue  # a whole line, as a file of fewer secrets is
        with pytest.raises(ValueError, match=r"no secret|no end"):
            parse_ticket_secrets(whole[:cut])


def test_what_is_written_is_read_again() -> None:
    secrets = (TicketSecret(ALWAYS, A), TicketSecret(AT_THREE, B))
    assert parse_ticket_secrets(text_of(secrets)) == secrets


def test_secrets_that_are_all_to_come_are_no_use() -> None:
    secrets = [TicketSecret(AT_THREE, A)]
    assert none_in_force(secrets, AT_THREE) == ""
    problem = none_in_force(secrets, AT_THREE - 1)
    assert "begins at 2026-11-26T03:00:00Z: leave out its time" in problem
    assert none_in_force([TicketSecret(AT_THREE + 60, A)], AT_THREE + PERIOD_S - 1)


def test_a_secret_is_not_shown() -> None:
    one = TicketSecret(ALWAYS, A)
    assert "aaaa" not in repr(one) + one.id
    assert one.id != TicketSecret(ALWAYS, B).id


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, problem in [
        (tmp_path / "pipe", "is no file"),
        (tmp_path, "[Ii]s a directory|is no file"),
        (tmp_path / "none", "No such file"),
    ]:
        with pytest.raises(ValueError, match=problem):
            read_ticket_secrets(path)
