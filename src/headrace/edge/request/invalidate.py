"""Makes stored responses go when an unsafe request has changed what they show (RFC 9111 4.4).

A purge rule is seen by every worker at once, fills that run included, but stays for minutes: in
the index, and in the memory of each process. Anybody may cause one, by a request that an origin
accepts. So there is a rule only where something stored is not purged yet, here or, as far as is
known, at a server that is asked for it, which is told of rules alone; and only as many as
`edge.purge_allowance` has. Beyond that the records are deleted themselves. Other workers notice
that within `hot.RECHECK_S`, other servers not at all, and a fill that runs meanwhile may still be
stored.
"""

from __future__ import annotations

from headrace.cache.invalidation import keys_invalidated
from headrace.cache.key import key_hash, keys_for_url, without_scheme
from headrace.edge.context import WorkerContext
from headrace.edge.fill.names import part_name
from headrace.edge.service.resource import Resource
from headrace.errors import HeadraceError
from headrace.http.message import Request, ResponseHead
from headrace.http.parser import ParsedResponseHead
from headrace.store import PurgeRule, StoreError


def invalidate_after(
    edge: WorkerContext, resource: Resource, request: Request, head: ParsedResponseHead
) -> None:
    """Remove what a request has changed. Nothing after safe methods and errors."""
    service = resource.service
    uris = keys_invalidated(request, ResponseHead(head.status, head.headers))
    plan = edge.plan(resource, None) if uris else None
    elsewhere = plan is not None and bool(plan.peers)
    for uri in uris:
        try:
            keys = keys_for_url(service.name, uri.decode("latin-1"), service.key_rules)
        except HeadraceError:
            continue  # a Location that is no URL of this service
        try:
            _remove(edge, keys, elsewhere=elsewhere, varies=bool(service.keyed_fields))
        except (StoreError, OSError) as error:
            # The request itself has succeeded; what is stored may stay until its lifetime ends.
            edge.store_trouble(error)
    try:
        edge.apply_purges()
    except StoreError as error:
        edge.store_trouble(error)  # whoever asks next sees to it


def _remove(edge: WorkerContext, keys: list[bytes], *, elsewhere: bool, varies: bool) -> None:
    """Remove what is stored under the keys of one URL, one for each scheme. `elsewhere`: other
    servers may have it.
    """
    hashes = [key_hash(key) for key in keys]
    stored = [response for hashed in hashes for response in edge.store.variants(hashed)]
    # Which variants are being filled for the first time cannot be told where every fill has one.
    if (
        not stored
        and not elsewhere
        and not varies
        and not any(edge.fills.is_being_filled(part_name(one, b""), 0) for one in hashes)
    ):
        return
    if edge.invalidations.take(edge.monotonic()):
        edge.store.purge(PurgeRule("url", without_scheme(keys[0])), durable=False)
        return
    for response in stored:
        edge.store.delete(response)
        edge.hot.drop(response.key, response.variant)
