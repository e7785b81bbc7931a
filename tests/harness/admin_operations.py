"""The operations of an edge's admin API without a server, and whether an answer fits them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from headrace.edge.admin.operations import edge_operations
from headrace.edge.admin.report import EdgeReport
from headrace.node.admin.app import all_operations
from headrace.node.admin.operations import Operations
from tests.harness.json_schema import mistakes


def edge_admin_operations() -> Operations:
    """Return the table; its handlers cannot be called."""
    nobody = cast(Any, SimpleNamespace(report=EdgeReport, identity=None))
    return all_operations(nobody, edge_operations(nobody, nobody))


def misfits(
    document: Mapping[str, Any], method: str, path: str, status: int, media_type: str, body: str
) -> list[str]:
    """Return in what an answer differs from an OpenAPI document.

    Of what the document does not have, only a problem is right.
    """
    operation = document["paths"].get(path.partition("?")[0], {}).get(method.lower())
    if operation is None:
        problem = document["components"]["schemas"]["Problem"]
        found = list(mistakes(json.loads(body), problem, document))
        return found if status in (404, 405) else [*found, f"{status} for {method} {path}"]
    described = operation["responses"].get(str(status))
    if described is None:
        return [f"{method} {path} is not described to answer {status}"]
    kinds = {kind.partition(";")[0]: one["schema"] for kind, one in described["content"].items()}
    kind = media_type.partition(";")[0]
    if kind not in kinds:
        return [f"{method} {path} answers {status} as {media_type}"]
    if not kind.endswith("json"):
        return []
    texts = [line for line in body.splitlines() if line] if kind.endswith("ndjson") else [body]
    return [one for text in texts for one in mistakes(json.loads(text), kinds[kind], document)]
