"""Where the admin token comes from, and who has it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.node.admin.auth import allowed
from headrace.node.admin.token import TokenError, admin_token, token_in

TOKEN = "0123456789abcdef"


def test_a_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    made = admin_token(None, None, tmp_path)
    file = tmp_path / "admin.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert admin_token(None, None, tmp_path) == made == file.read_text().strip()
    assert len(made) >= 32


def test_a_configured_token_is_used_and_not_written(tmp_path: Path) -> None:
    assert admin_token(TOKEN, None, tmp_path) == TOKEN
    assert not list(tmp_path.iterdir())


def test_a_token_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert admin_token(None, file, tmp_path) == TOKEN


def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="absent"):
        admin_token(None, tmp_path / "absent", tmp_path)


def test_a_short_token_is_refused_with_a_remedy(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("short")
    with pytest.raises(TokenError, match="openssl rand"):
        admin_token(None, file, tmp_path)


def test_a_cache_directory_that_takes_no_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match=r"set admin\.token_file"):
        admin_token(None, None, tmp_path / "absent")


@pytest.mark.parametrize("field", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer  {TOKEN} "])
def test_the_token_opens_the_admin(field: str) -> None:
    assert allowed(field, TOKEN)


@pytest.mark.parametrize(
    "field",
    [None, "", TOKEN, "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"],
)
def test_anything_else_does_not(field: str | None) -> None:
    assert not allowed(field, TOKEN)


@pytest.mark.parametrize("sent", [b"Bearer \xff", b"\xff \xff", b"Bearer ", b"", b"Bearer\xc3\xa9"])
def test_a_field_of_any_bytes_is_only_wrong(sent: bytes) -> None:
    assert not allowed(sent.decode("utf-8", "surrogateescape"), TOKEN)


@given(st.binary(max_size=40))
def test_no_bytes_but_the_token_are_let_in(sent: bytes) -> None:
    text = (b"Bearer " + sent).decode("utf-8", "surrogateescape")
    assert allowed(text, TOKEN) == (sent.strip() == TOKEN.encode())


@pytest.mark.parametrize(
    "text", ["short", "two words, which are many", "line\nbreak-of-a-token-here", "ü" * 20]
)
def test_a_file_with_no_token_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(TokenError, match="openssl rand"):
        token_in(file)
    file.write_text(TOKEN + "\n")
    assert token_in(file) == TOKEN
