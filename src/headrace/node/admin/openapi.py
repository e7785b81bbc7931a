"""The admin API's own description (OpenAPI 3.1), derived from its operations and their models."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

from headrace import __version__
from headrace.http.serializer import REASONS
from headrace.node.admin.operations import Media, NoRequest, Operation
from headrace.node.admin.problem import CONTENT_TYPE, Problem

_REF = "#/components/schemas/{name}"


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the description of an admin API with these operations."""
    table = list(operations)
    models = _Models(table)
    paths: dict[str, Any] = {}
    for operation in table:
        methods = paths.setdefault(operation.path, {})
        methods[operation.method.lower()] = _described(operation, models)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headrace admin API", "version": __version__},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": models.components,
        },
    }


class _Models:
    """The schemas of every model in a table, and of the problem that any of them may answer."""

    def __init__(self, table: list[Operation]) -> None:
        wanted: dict[type[msgspec.Struct], None] = {Problem: None}
        for operation in table:
            if operation.takes_body:
                wanted[operation.request] = None
            response = operation.response
            wanted |= dict.fromkeys(response.lines if isinstance(response, Media) else [response])
        found, self.components = msgspec.json.schema_components(wanted, ref_template=_REF)
        for schema in self.components.values():
            schema["description"] = inspect.cleandoc(schema["description"])
        self._schemas = dict(zip(wanted, found, strict=True))

    def schema(self, model: type[msgspec.Struct]) -> dict[str, Any]:
        """Return the reference to a model's schema."""
        return self._schemas[model]

    def content(self, response: type[msgspec.Struct] | Media) -> dict[str, Any]:
        """Return a response's media type with its schema."""
        if not isinstance(response, Media):
            return {"application/json": {"schema": self.schema(response)}}
        schema: dict[str, Any] = {"type": "string"}
        if response.media_type == "application/json":
            schema = {"type": "object"}
        elif response.lines:
            schema = {"anyOf": [self.schema(line) for line in response.lines]}
        return {response.media_type: {"schema": schema}}


def _described(operation: Operation, models: _Models) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": operation.summary,
        "security": [{"token": []}] if operation.needs_token else [],
        "responses": {
            "200": {
                "description": operation.returns,
                "content": models.content(operation.response),
            },
            **{str(status): _refusal(status, models) for status in operation.statuses},
        },
    }
    if operation.takes_body:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": models.schema(operation.request)}},
        }
    elif operation.request is not NoRequest:
        found["parameters"] = _parameters(operation.request)
    return found


def _refusal(status: int, models: _Models) -> dict[str, Any]:
    return {
        "description": REASONS[status].decode(),
        "content": {CONTENT_TYPE: {"schema": models.schema(Problem)}},
    }


def _parameters(model: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """Return a GET's parameters; what is absent has its default, so none of them may be null."""
    (_reference,), components = msgspec.json.schema_components([model], ref_template=_REF)
    own = components[model.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in own.get("required", ()),
            "description": schema.get("description", ""),
            "schema": _without_null(schema),
        }
        for name, schema in own["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in schema.items() if name not in {"anyOf", "description"}}
    if kept.get("default", ...) is None:
        del kept["default"]
    (other,) = [one for one in schema.get("anyOf", [{}]) if one != {"type": "null"}]
    return {**other, **kept}
