"""Makes stored responses go when an unsafe request has changed what they show (RFC 9111 4.4).

A purge rule is seen by every worker at once, fills that run included, but stays for minutes: in
the index, and in the memory of each process. Anybody may cause one, by a request that an origin
accepts. So there is a rule only where something stored is not purged yet, and only as many as
`Allowance` has; beyond that the records are deleted themselves. Other workers notice that within
`hot.RECHECK_S`, and a fill that runs meanwhile may still be stored.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headrace.cache.invalidation import keys_invalidated
from headrace.cache.key import key_hash, keys_for_url, without_scheme
from headrace.edge.fill.names import part_name
from headrace.errors import HeadraceError
from headrace.http.message import Request, ResponseHead
from headrace.http.parser import ParsedResponseHead
from headrace.store import Busy, PurgeRule, StoreError

if TYPE_CHECKING:
    from headrace.edge.context import WorkerContext
    from headrace.edge.service.resource import Resource

RULES_PER_S = 10.0
RULES_AT_ONCE = 100


class Allowance:
    """How many rules one worker may still make: `at_once`, and `per_s` more each second."""

    __slots__ = ("_at_once", "_left", "_per_s", "_since")

    def __init__(self, per_s: float = RULES_PER_S, at_once: int = RULES_AT_ONCE) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._left = float(at_once)
        self._since = 0.0

    def take(self, now: float) -> bool:
        """Whether there is one more at `now` (monotonic seconds); it is taken then."""
        grown = max(0.0, now - self._since) * self._per_s
        self._left = min(float(self._at_once), self._left + grown)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def invalidate_after(
    edge: WorkerContext, resource: Resource, request: Request, head: ParsedResponseHead
) -> None:
    """Remove what a request has changed. Nothing after safe methods and errors."""
    service = resource.service
    for uri in keys_invalidated(request, ResponseHead(head.status, head.headers)):
        try:
            keys = keys_for_url(service.name, uri.decode("latin-1"), service.key_rules)
        except HeadraceError:
            continue  # a Location that is no URL of this service
        try:
            _remove(edge, keys, varies=bool(service.keyed_fields))
        except (StoreError, OSError) as error:
            # The request itself has succeeded; what is stored may stay until its lifetime ends.
            edge.store_trouble(error)
    edge.apply_purges()


def _remove(edge: WorkerContext, keys: list[bytes], *, varies: bool) -> None:
    """Remove what is stored under the keys of one URL, one for each scheme."""
    hashes = [key_hash(key) for key in keys]
    stored = [response for hashed in hashes for response in edge.store.variants(hashed)]
    # Which variants are being filled for the first time cannot be told where every fill has one.
    if not stored and not varies and not any(_is_being_filled(edge, one) for one in hashes):
        return
    if edge.invalidations.take(time.monotonic()):
        edge.store.purge(PurgeRule("url", without_scheme(keys[0])), durable=False)
        return
    for response in stored:
        edge.store.delete(response)
        edge.hot.drop(response.key, response.variant)


def _is_being_filled(edge: WorkerContext, hashed: bytes) -> bool:
    """Whether some worker fetches this key for the first time, so that no record tells of it."""
    part = edge.store.begin_part(part_name(hashed, b""), 0)
    if isinstance(part, Busy):
        return True
    part.close()
    return False
