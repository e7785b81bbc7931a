"""Who may use the admin API: everyone who knows its bearer token (RFC 6750)."""

from __future__ import annotations

import hmac
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from headrace.node.admin.problem_responses import Handler, problem_response


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
