"""Who may use the admin API: everyone who knows its bearer token (RFC 6750).

The token comes from the config, from a file, or is made once and kept in a file that only the
server's own user can read.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Collection
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from headrace.errors import HeadraceError
from headrace.node.admin.problem import Handler, problem_response

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


def allowed(authorization: str | None, token: str) -> bool:
    """Return whether an Authorization field carries this token, in the same time either way."""
    scheme, _space, given = (authorization or "").partition(" ")
    # What is no UTF-8 arrives as lone surrogates.
    as_sent = given.strip().encode("utf-8", "surrogateescape")
    same = hmac.compare_digest(as_sent, token.encode())
    return same and scheme.lower() == "bearer"


def require_token(
    token: str,
    open_paths: Collection[str],
    report_token: str | None = None,
    report_paths: Collection[str] = (),
) -> Middleware:
    """Return a middleware that refuses every path but `open_paths` without the token; for
    `report_paths`, `report_token` will do.
    """

    def may(request: web.Request) -> bool:
        given = request.headers.get("Authorization")
        if allowed(given, token):
            return True
        if report_token is None or request.path not in report_paths:
            return False
        return allowed(given, report_token)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in open_paths or may(request):
            return await handler(request)
        return problem_response(
            401,
            "the admin token is missing or wrong: send `Authorization: Bearer <token>`; it is what "
            "admin.token or admin.token_file sets, else what the file admin.token holds in its "
            "state_dir (an edge's cache_dir)",
            headers={"WWW-Authenticate": 'Bearer realm="headrace"'},
        )

    return check


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise TokenError(f"cannot read the admin token from {path}: {error.strerror}") from error


def _checked(token: str, source: str) -> str:
    stripped = token.strip()
    if len(stripped) < SHORTEST_TOKEN:
        raise TokenError(
            f"the admin token from {source} is shorter than {SHORTEST_TOKEN} characters: make one "
            "with `openssl rand -hex 32`"
        )
    return stripped
