"""Which stored response a request selects (RFC 9111 section 4.1)."""

from __future__ import annotations

from headrace.cache.record import StoredResponse
from headrace.cache.vary import variant_text, with_keyed
from headrace.edge.service.resource import Resource
from headrace.http.message import Headers
from headrace.store import Store


def select(
    store: Store, resource: Resource, headers: Headers, vary: tuple[bytes, ...] = ()
) -> tuple[StoredResponse | None, bytes]:
    """Return what is stored for a request, and its variant. `vary` is what the variants are told
    apart by if the store does not know that yet. Raises StoreError.
    """
    known = store.vary_of(resource.key_hash)
    if known is not None:
        vary = known
    vary = with_keyed(vary, resource.service.keyed_fields)
    variant = variant_text(vary, headers, resource.rules) if vary else b""
    return store.lookup(resource.key_hash, variant), variant


def is_same(one: StoredResponse | None, other: StoredResponse | None) -> bool:
    """Return whether two looks into the store found the same record."""
    if one is None or other is None:
        return one is other
    return one.version == other.version and one.response_time == other.response_time
