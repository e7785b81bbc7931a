"""The operations of the admin API that the edge adds to those of every role."""

from __future__ import annotations

from headrace.edge.admin.not_stored import Reasons, WhyNotStored
from headrace.edge.admin.objects import (
    Edge,
    ObjectPage,
    Objects,
    PendingPurges,
    Purged,
    Variants,
)
from headrace.edge.admin.requests import (
    ListRequest,
    PurgeRequest,
    PurgesRequest,
    UrlRequest,
)
from headrace.node.admin.load import load_operations
from headrace.node.admin.operations import Operation, Operations
from headrace.node.admin.watching import watching_operations
from headrace.node.running import Node


def edge_operations(edge: Edge, node: Node) -> Operations:
    """Return the operations, carried out by this edge on this node."""
    return (
        *_of_objects(Objects(edge)),
        *watching_operations(node),
        *_of_reasons(Reasons(edge, node)),
        *load_operations(node, edge.identity),
    )


def _of_objects(handlers: Objects) -> Operations:
    return (
        Operation(
            "POST",
            "/purge",
            "Forget (or mark stale) stored objects; in force on all workers when it answers.",
            handlers.purge,
            Purged,
            "The generation of the purge, and how many services and rules it concerned.",
            request=PurgeRequest,
        ),
        Operation(
            "GET",
            "/purges",
            "The purges that are not carried out to the end yet, the newest first.",
            handlers.purges,
            PendingPurges,
            "The purges.",
            request=PurgesRequest,
        ),
        Operation(
            "GET",
            "/objects",
            "Stored objects, a page at a time.",
            handlers.objects,
            ObjectPage,
            "The objects, and the cursor of the next page or null.",
            request=ListRequest,
        ),
        Operation(
            "GET",
            "/objects/inspect",
            "Every stored variant of one URL.",
            handlers.inspect,
            Variants,
            "Status, headers, age, lifetime and slices of each variant.",
            request=UrlRequest,
            refusals=(404,),
        ),
    )


def _of_reasons(handlers: Reasons) -> Operations:
    return (
        Operation(
            "GET",
            "/reasons",
            "Why responses for a URL were not stored lately, as far as it is remembered.",
            handlers.reasons,
            WhyNotStored,
            "Reasons with status, count and time, the latest first.",
            request=UrlRequest,
        ),
    )
