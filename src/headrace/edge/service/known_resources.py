"""The routes that a worker remembers, by host and target as clients send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.bounded import BoundedMemory

if TYPE_CHECKING:
    from headrace.edge.service.resource import Route

HostAndTarget = tuple[bytes | None, bytes]

LIMIT_BYTES = 16 * 1024 * 1024
"""For the plain side of a worker, and as much for its TLS side: some 10,000 usual routes each."""

ROUTE_BYTES = 800  # the object, its hash and what is around its texts


def cost(asked: HostAndTarget, route: Route) -> int:
    """The bytes that a route holds: each text of it may be as long as a request may be. A hot
    entry, which may come and go, is counted where those are kept.
    """
    host, target = asked
    query = route.query or b""
    return (
        ROUTE_BYTES + len(host or b"") + len(target) + len(route.authority) + len(route.path)
        + len(query) + len(route.keyed_query or b"") + len(route.key) + len(route.upstream_target)
    )  # fmt: skip


def known_routes() -> BoundedMemory[HostAndTarget, Route]:
    """An empty memory of routes."""
    return BoundedMemory(LIMIT_BYTES, cost)
