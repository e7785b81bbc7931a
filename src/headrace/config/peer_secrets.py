"""The file with the secrets by which the servers of a network know each other."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from headrace.config.secret_file import read_secret_file

MOST_SECRETS: Final = 4
SHORTEST_SECRET: Final = 32
MOST_FILE_BYTES: Final = 64 * 1024


def parse_secrets(text: bytes) -> tuple[bytes, ...]:
    """Return the secrets in a text: one a line, the newest first; empty lines and those that begin
    with # are passed over. Raises ValueError.
    """
    lines = [line.strip() for line in text.splitlines()]
    secrets = tuple(line for line in lines if line and not line.startswith(b"#"))
    if len(text) > MOST_FILE_BYTES:
        raise ValueError("it is too long for a file of secrets")
    if not secrets:
        raise ValueError(
            f"no secret in it: write one line of at least {SHORTEST_SECRET} characters"
        )
    if len(secrets) > MOST_SECRETS:
        raise ValueError(f"{len(secrets)} secrets in it: keep the {MOST_SECRETS} newest")
    for number, secret in enumerate(secrets, 1):
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"its secret {number} is shorter than {SHORTEST_SECRET} characters")
    return secrets


def read_secrets(path: Path) -> tuple[bytes, ...]:
    """Return the secrets of a file. Raises ValueError, which says what is wrong with it."""
    return parse_secrets(read_secret_file(path, MOST_FILE_BYTES))
