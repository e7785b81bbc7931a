"""The operations of the admin API for those who watch a node live, whatever its role."""

from __future__ import annotations

from headrace.node.admin.activity import Activity, Connections, RowsRequest, Top
from headrace.node.admin.following import Following, FollowRequest, Missed
from headrace.node.admin.operations import Media, Operation, Operations
from headrace.node.running import Node
from headrace.telemetry.access_line import AccessLine


def watching_operations(node: Node, *, caches: bool = True) -> Operations:
    """Return the operations, for a role whose workers answer live questions; one that `caches` has
    hits.
    """
    activity, following = Activity(node, caches=caches), Following(node)
    return (
        Operation(
            "GET",
            "/top",
            "Rates since the figures before, slowest origins, hottest objects, busiest services. "
            "The first figures begin to count.",
            activity.top,
            Top,
            "Figures of all workers together.",
            request=RowsRequest,
        ),
        Operation(
            "GET",
            "/connections",
            "Who holds most connections, by network, as far as the configuration lets it show.",
            activity.connections,
            Connections,
            "Clients, and the connections of all others.",
            request=RowsRequest,
        ),
        Operation(
            "GET",
            "/log",
            "Responses as they end, as lines of JSON, until the client goes.",
            following.log,
            Media("application/x-ndjson", (AccessLine, Missed)),
            "Lines as in the access log; `dropped` and `unexamined` where some are missing.",
            request=FollowRequest,
            refusals=(503,),
        ),
    )
