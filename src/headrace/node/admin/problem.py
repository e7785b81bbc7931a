"""Errors of the admin API as problem details (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from headrace.errors import HeadraceError
from headrace.http.serializer import REASONS

CONTENT_TYPE = "application/problem+json"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("headrace.admin")


class ProblemError(HeadraceError):
    """A request that cannot be carried out. `field` names the part of the request at fault."""

    def __init__(self, status: int, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field


def problem_body(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    more: Mapping[str, object] | None = None,
) -> bytes:
    """The JSON of one problem; its type is about:blank, so its title is the status's phrase.

    `more` are extension members (RFC 9457 section 3.2).
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": REASONS[status].decode(),
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    if field is not None:
        body["field"] = field
    return json.dumps(body).encode()


def problem_response(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    more: Mapping[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """A problem as a response."""
    return web.Response(
        status=status,
        body=problem_body(status, detail, field=field, more=more),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with a problem where the handler raises one, or where no handler fits."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem_response(problem.status, problem.detail, field=problem.field)
    except (HeadraceError, OSError) as error:
        log.error("admin_request_failed", path=request.path, problem=str(error))
        return problem_response(500, str(error))
    except web.HTTPMethodNotAllowed as refusal:
        allowed = ", ".join(sorted(refusal.allowed_methods))
        return problem_response(
            405, f"{request.path} answers {allowed} only", headers={"Allow": allowed}
        )
    except web.HTTPException as refusal:
        detail = f"nothing at {request.path}: see /openapi.json" if refusal.status == 404 else ""
        return problem_response(refusal.status, detail or refusal.reason)
