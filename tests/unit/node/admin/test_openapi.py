"""The admin API's description: what is served and what is described are the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, cast

import msgspec
import pytest
from msgspec import Meta

from headrace.node.admin.app import admin_app, all_operations
from headrace.node.admin.openapi import document
from headrace.node.admin.operations import NoRequest, Operation
from headrace.node.running import Node
from headrace.telemetry.report import Report
from tests.harness.admin_operations import edge_admin_operations, misfits


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What is wanted."""

    name: Annotated[str, Meta(min_length=1, description="Whose.", examples=["x"])]
    limit: Annotated[int, Meta(ge=1, le=5)] = 3
    after: str | None = None


class Given(msgspec.Struct):
    """What is there.

    `more` is what is not.
    """

    found: list[int]
    more: int | None


async def give(_asked: Wanted) -> Given:
    return Given([1], None)


READ = Operation("GET", "/a", "Read.", give, Given, "It.", request=Wanted, refusals=(404,))
WRITE = Operation("POST", "/a", "Write.", give, Given, "It.", request=Wanted)
OPEN = Operation("GET", "/b", "Read.", give, Given, "It.", needs_token=False)
TOY = document((READ, WRITE, OPEN))


def test_every_route_is_described_and_every_operation_is_served() -> None:
    operations = edge_admin_operations()
    app = admin_app(operations, "a-token-for-this-test")
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (method.upper(), path)
        for path, methods in document(operations)["paths"].items()
        for method in methods
    }
    assert served == described == {(one.method, one.path) for one in operations}


def test_a_role_without_operations_of_its_own_has_those_of_every_role() -> None:
    node = cast(Node, SimpleNamespace(report=Report))  # no handler is called
    operations = all_operations(node, ())
    assert {one.path for one in operations} >= {"/live", "/ready", "/metrics", "/openapi.json"}
    assert not {one.path for one in operations} & {"/purge", "/objects", "/top"}


def test_parameters_come_from_the_model() -> None:
    assert TOY["paths"]["/a"]["get"]["parameters"] == [
        {
            "name": "name",
            "in": "query",
            "required": True,
            "description": "Whose.",
            "schema": {"type": "string", "minLength": 1, "examples": ["x"]},
        },
        {
            "name": "limit",
            "in": "query",
            "required": False,
            "description": "",
            "schema": {"type": "integer", "minimum": 1, "maximum": 5, "default": 3},
        },
        {
            "name": "after",
            "in": "query",
            "required": False,
            "description": "",
            "schema": {"type": "string"},
        },
    ]
    assert "parameters" not in TOY["paths"]["/a"]["post"]
    assert "parameters" not in TOY["paths"]["/b"]["get"]


def test_a_body_comes_from_the_model() -> None:
    content = TOY["paths"]["/a"]["post"]["requestBody"]["content"]
    assert content == {"application/json": {"schema": {"$ref": "#/components/schemas/Wanted"}}}
    assert TOY["components"]["schemas"]["Wanted"]["additionalProperties"] is False
    assert "requestBody" not in TOY["paths"]["/a"]["get"]


def test_a_models_description_is_its_docstring() -> None:
    assert TOY["components"]["schemas"]["Given"]["description"] == (
        "What is there.\n\n`more` is what is not."
    )


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        (READ, (401, 403, 404, 415, 422, 500)),
        (WRITE, (400, 401, 403, 408, 413, 415, 422, 500)),
        (OPEN, (403, 415, 500)),
    ],
)
def test_an_operation_names_every_status(operation: Operation, statuses: tuple[int, ...]) -> None:
    assert operation.statuses == statuses
    responses = TOY["paths"][operation.path][operation.method.lower()]["responses"]
    assert set(responses) == {"200", *map(str, statuses)}


def test_an_operation_without_a_request_takes_no_body() -> None:
    assert not Operation("POST", "/c", "Do.", give, Given, "It.", request=NoRequest).takes_body


@pytest.mark.parametrize(
    ("status", "kind", "body", "told"),
    [
        (200, "application/json", '{"found": [1], "more": null}', ""),
        (200, "application/json", '{"found": ["1"], "more": null}', "$.found[0]"),
        (200, "application/json", '{"found": []}', "$.more is missing"),
        (200, "application/json", '{"found": [], "more": 1, "x": 1}', "$.x is not described"),
        (200, "text/plain", "", "answers 200 as text/plain"),
        (418, "application/json", "{}", "not described to answer 418"),
    ],
)
def test_an_answer_that_does_not_fit_is_found(status: int, kind: str, body: str, told: str) -> None:
    found = misfits(TOY, "GET", "/b", 200 if status == 200 else status, kind, body)
    assert bool(found) is bool(told)
    assert told in " ".join(found)
