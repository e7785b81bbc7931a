"""Problems as the admin API's responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web

from headrace.errors import HeadraceError
from headrace.node.admin.problem import CONTENT_TYPE, Fault, ProblemError, problem_body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("headrace.admin")


def problem_response(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    errors: Sequence[Fault] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Return a problem as a response."""
    return web.Response(
        status=status,
        body=problem_body(status, detail, field=field, errors=errors),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with a problem where the handler raises one, or where no handler fits."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem_response(
            problem.status, problem.detail, field=problem.field, errors=problem.errors
        )
    except (HeadraceError, OSError) as error:
        if request.transport is not None and not request.transport.is_closing():
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
