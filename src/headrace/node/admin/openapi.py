"""The admin API's own description (OpenAPI 3.1), built from one table of its operations."""

from __future__ import annotations

from typing import Any

from headrace import __version__
from headrace.edge.admin.requests import LARGEST_LISTING, USUAL_LISTING
from headrace.edge.admin.top import MOST_ROWS, USUAL_ROWS

_PROBLEM = {
    "description": "A problem (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _answer(text: str, media_type: str = "application/json") -> dict[str, Any]:
    kind = "object" if media_type.endswith("json") else "string"
    return {"description": text, "content": {media_type: {"schema": {"type": kind}}}}


def _operation(
    summary: str,
    answer: dict[str, Any],
    *refusals: str,
    token: bool = True,
    parameters: list[dict[str, Any]] | None = None,
    body: str | None = None,
) -> dict[str, Any]:
    statuses = ("401", "403", *refusals) if token else refusals
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": answer, **dict.fromkeys(statuses, _PROBLEM)},
        "security": [{"token": []}] if token else [],
    }
    if parameters is not None:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}},
        }
    return operation


def _parameter(name: str, text: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": text,
        "schema": schema,
    }


_TEXT = {"type": "string"}
_NUMBER = {"type": "integer", "minimum": 1}
_ROWS = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": LARGEST_LISTING, "default": USUAL_LISTING}

_PATHS: dict[str, Any] = {
    "/live": {
        "get": _operation("The supervisor answers.", _answer("It lives."), "403", token=False)
    },
    "/ready": {
        "get": _operation(
            "Whether to send clients here: 503 while starting, draining, or without a worker.",
            _answer("Send clients."),
            "403",
            "503",
            token=False,
        )
    },
    "/metrics": {
        "get": _operation("Metrics for Prometheus.", _answer("Exposition format.", "text/plain"))
    },
    "/stats": {"get": _operation("The same as JSON, with each worker.", _answer("The state."))},
    "/purge": {
        "post": _operation(
            "Forget (or mark stale) stored objects; in force on all workers when it answers.",
            _answer("The generation of the purge, and how many services and rules it concerned."),
            "400",
            "413",
            "415",
            "422",
            body="Purge",
        )
    },
    "/drain": {
        "post": _operation(
            "Be not ready, and close connections as they fall idle.", _answer("Draining.")
        )
    },
    "/undrain": {"post": _operation("Serve as before.", _answer("Ready, or why not."))},
    "/reload": {
        "post": _operation(
            "Read configuration and certificates again. Refused: the old ones stay in force.",
            _answer("The version of the configuration in force."),
            "409",
            "422",
        )
    },
    "/objects": {
        "get": _operation(
            "Stored objects, a page at a time.",
            _answer("The objects, and the cursor of the next page or null."),
            "422",
            parameters=[
                _parameter("prefix", "Only URLs that begin so.", _TEXT, required=False),
                _parameter("limit", "Objects in a page.", _LIMIT, required=False),
                _parameter("cursor", "Of the page before.", _TEXT, required=False),
            ],
        )
    },
    "/objects/inspect": {
        "get": _operation(
            "Every stored variant of one URL.",
            _answer("Status, headers, age, lifetime and slices of each variant."),
            "404",
            "422",
            parameters=[_parameter("url", "The whole URL.", _TEXT, required=True)],
        )
    },
    "/log": {
        "get": _operation(
            "Responses as they end, as lines of JSON, until the client goes.",
            _answer(
                "Lines as in the access log; `dropped` and `unexamined` where some are missing.",
                "application/x-ndjson",
            ),
            "422",
            "503",
            parameters=[
                _parameter("filter", "Which of them: see the manual.", _TEXT, required=False),
                _parameter("limit", "End after so many lines.", _NUMBER, required=False),
                _parameter(
                    "rate", "Lines a second of each worker, 1000 at most.", _NUMBER, required=False
                ),
                _parameter(
                    "sample",
                    "The share of responses to look at.",
                    {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1},
                    required=False,
                ),
            ],
        )
    },
    "/top": {
        "get": _operation(
            "Rates since the last look, slowest origins, hottest objects, busiest services. The "
            "first look begins to count.",
            _answer("Figures of all workers together."),
            "422",
            parameters=[_parameter("limit", "Rows of each list.", _ROWS, required=False)],
        )
    },
    "/connections": {
        "get": _operation(
            "Who holds most connections, by network, as far as the configuration lets it show.",
            _answer("Clients, and the connections of all others."),
            "422",
            parameters=[_parameter("limit", "Clients listed.", _ROWS, required=False)],
        )
    },
    "/reasons": {
        "get": _operation(
            "Why responses for a URL were not stored lately, as far as it is remembered.",
            _answer("Reasons with status, count and time, the latest first."),
            "422",
            parameters=[_parameter("url", "The whole URL.", _TEXT, required=True)],
        )
    },
    "/purges": {
        "get": _operation(
            "The purges that are not carried out to the end yet, the newest first.",
            _answer("The purges."),
            "422",
            parameters=[_parameter("limit", "Purges listed.", _LIMIT, required=False)],
        )
    },
    "/openapi.json": {"get": _operation("This description.", _answer("OpenAPI 3.1."))},
}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Headrace admin API", "version": __version__},
    "paths": _PATHS,
    "components": {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "Purge": {
                "type": "object",
                "description": "Exactly one of url, prefix, tag and all.",
                "properties": {
                    "url": {"type": "string", "description": "One URL, all its variants."},
                    "prefix": {"type": "string", "description": "The beginning of URLs."},
                    "tag": {"type": "string", "description": "A Surrogate-Key or Cache-Tag."},
                    "all": {"const": True},
                    "service": {"type": "string", "description": "Only this service."},
                    "soft": {
                        "type": "boolean",
                        "default": False,
                        "description": "Mark stale instead of forgetting.",
                    },
                },
                "additionalProperties": False,
            },
            "Problem": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "field": {"type": "string", "description": "The part of the request at fault."},
                    "errors": {
                        "type": "array",
                        "description": "A refused configuration's problems.",
                        "items": {
                            "type": "object",
                            "properties": {
                                "path": {"type": "string"},
                                "message": {"type": "string"},
                                "remedy": {"type": "string"},
                            },
                        },
                    },
                },
                "required": ["type", "title", "status", "detail"],
            },
        },
    },
}
