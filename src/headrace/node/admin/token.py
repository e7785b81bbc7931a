"""The token of the admin API: from the config, from a file, or made once and kept in a file that
only the server's own user can read.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from headrace.errors import HeadraceError

TOKEN_FILE_NAME = "admin.token"
SHORTEST_TOKEN = 16


class TokenError(HeadraceError):
    """The admin token cannot be had."""


def admin_token(token: str | None, token_file: Path | None, cache_dir: Path) -> str:
    """Return the token by the config: itself, a file's content, or `cache_dir/admin.token`.

    The last is made, with mode 0600, when it does not exist. Raises TokenError when a file cannot
    be read or written, or holds too short a token.
    """
    if token is not None:
        return _checked(token, "admin.token")
    if token_file is not None:
        return _checked(_read(token_file), str(token_file))
    own = cache_dir / TOKEN_FILE_NAME
    try:
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _checked(_read(own), str(own))
    except OSError as error:
        raise TokenError(
            f"cannot write the admin token to {own}: {error.strerror}; set admin.token_file"
        ) from error
    made = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(made + "\n")
    return made


def token_in(path: Path) -> str:
    """Return the token in a file. Raises TokenError."""
    token = _checked(_read(path), str(path))
    if not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError(f"the admin token in {path} is none: make one with `openssl rand -hex 32`")
    return token


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise TokenError(f"cannot read the admin token from {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TokenError(
            f"the admin token in {path} is no text: make one with `openssl rand -hex 32`"
        ) from error


def _checked(token: str, source: str) -> str:
    stripped = token.strip()
    if len(stripped) < SHORTEST_TOKEN:
        raise TokenError(
            f"the admin token from {source} is shorter than {SHORTEST_TOKEN} characters: make one "
            "with `openssl rand -hex 32`"
        )
    return stripped
