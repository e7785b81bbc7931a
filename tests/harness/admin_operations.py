"""The operations of an edge's admin API, without a server to carry them out."""

from __future__ import annotations

from typing import Any, cast

from headrace.edge.admin.operations import edge_operations
from headrace.node.admin.app import all_operations
from headrace.node.admin.operations import Operations


def edge_admin_operations() -> Operations:
    """Return the table; its handlers cannot be called."""
    nobody = cast(Any, None)
    return all_operations(nobody, edge_operations(nobody, nobody))
