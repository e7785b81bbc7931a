"""What is stored, as a server may use it that knows of purges which this one may not know of."""

from __future__ import annotations

import msgspec

from headrace.cache.key import without_scheme
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.edge.context import WorkerContext
from headrace.edge.peers.purges import effect
from headrace.store import PurgeRule, StoreError
from headrace.store.purge_rules import PurgeEffect
from headrace.upstream.peering import PurgeTimes


def usable_for(
    edge: WorkerContext, purges: PurgeTimes, stored: StoredResponse
) -> StoredResponse | None:
    """Return a record as these purges leave it; None when it is purged, and then it is for all.

    Raises StoreError. What is fetched for the request that told of the purge began after it, so
    that a purge removes a copy once, however often it is told of.
    """
    match effect(purges, stored):
        case PurgeEffect.KEPT:
            return stored
        case PurgeEffect.SOFT:
            return msgspec.structs.replace(stored, flags=stored.flags | StoredFlag.INVALIDATED)
        case PurgeEffect.HARD:
            _remove(edge, stored)
            return None


def _remove(edge: WorkerContext, stored: StoredResponse) -> None:
    """Remove what is stored under a key: by a rule, which every worker and every running fill
    sees. Where servers tell of more purges than may become rules here, the record alone goes: what
    a fill that runs brings back is as old as before, and is found out like this one.
    """
    if edge.peer_purges.take(edge.monotonic()):
        try:
            edge.store.purge(PurgeRule("url", without_scheme(stored.key)), durable=False)
        except OSError as error:
            raise StoreError(f"a purge could not be written: {error}") from error
        edge.apply_purges()
    else:
        edge.store.delete(stored)
        edge.hot.drop(stored.key, stored.variant)
