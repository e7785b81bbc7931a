"""The secrets that cookies are made with: of a file that an operator keeps, or one made here."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.router.dns.cookies import LEAST_SECRET_BYTES

FILE_NAME = "dns-cookie.secret"
MADE_BYTES = 32
MOST_FILE_BYTES = 4096


class CookieSecretError(HeadraceError):
    """A file of secrets that cannot be used."""


def read_secrets(path: Path) -> list[bytes]:
    """Return the secrets in a file, one a line. Raises CookieSecretError or OSError."""
    with path.open("rb") as file:
        text = file.read(MOST_FILE_BYTES)
    found = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            secret = bytes.fromhex(line.strip().decode("ascii"))
        except ValueError:
            secret = b""
        if not LEAST_SECRET_BYTES <= len(secret) <= MADE_BYTES:
            raise CookieSecretError(
                f"{path}:{number}: a secret for cookies is {LEAST_SECRET_BYTES} to {MADE_BYTES} "
                "bytes in hexadecimal: make one with `openssl rand -hex 32`"
            )
        found.append(secret)
    if not found:
        raise CookieSecretError(
            f"{path} has no secret for cookies: make one with `openssl rand -hex 32`"
        )
    return found


def own_secrets(directory: Path) -> list[bytes]:
    """Return the secret that the workers of a node share; the first that comes makes it.

    Raises CookieSecretError or OSError.
    """
    path = directory / FILE_NAME
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        descriptor, made = tempfile.mkstemp(dir=directory, prefix=f".{FILE_NAME}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(MADE_BYTES).encode("ascii") + b"\n")
            with contextlib.suppress(FileExistsError):
                os.link(made, path)  # unlike a rename, it never replaces another worker's
        finally:
            Path(made).unlink()
    return read_secrets(path)
