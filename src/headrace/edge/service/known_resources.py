"""The resources that a worker remembers, by host and target as clients send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.bounded import BoundedMemory

if TYPE_CHECKING:
    from headrace.edge.service.resource import Resource

HostAndTarget = tuple[bytes | None, bytes]

LIMIT_BYTES = 16 * 1024 * 1024
"""For the plain side of a worker, and as much for its TLS side: some 10,000 usual resources
each."""

RESOURCE_BYTES = 800  # the object, its hash and what is around its texts


def cost(asked: HostAndTarget, resource: Resource) -> int:
    """The bytes that a resource holds: each text of it may be as long as a request may be. A hot
    entry, which may come and go, is counted where those are kept.
    """
    host, target = asked
    query = resource.query or b""
    return (
        RESOURCE_BYTES
        + len(host or b"")
        + len(target)
        + len(resource.authority)
        + len(resource.path)
        + len(query)
        + len(resource.keyed_query or b"")
        + len(resource.key)
        + len(resource.upstream_target)
    )


def known_resources() -> BoundedMemory[HostAndTarget, Resource]:
    """An empty memory of resources."""
    return BoundedMemory(LIMIT_BYTES, cost)
