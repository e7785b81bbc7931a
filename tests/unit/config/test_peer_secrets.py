"""The file of a network's secrets."""

from __future__ import annotations

import pytest

from headrace.config.peer_secrets import parse_secrets

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_file_has_the_newest_secret_first() -> None:
    text = b"# made in May\n" + NEW + b"\n\n  " + OLD + b"\r\n"
    assert parse_secrets(text) == (NEW, OLD)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\n# none\n", "no secret"),
        (b"short\n", "shorter than 32"),
        (b"\n".join([NEW] * 5), "5 secrets"),
    ],
)
def test_a_bad_file_says_what_is_wrong(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_secrets(text)
