"""The fields that an origin is asked with on behalf of all who share the answer. Pure."""

from __future__ import annotations

import msgspec

from headrace.cache.slice_requests import WHOLE
from headrace.cache.storing import credentials_may_fill
from headrace.edge.fill.asked import FillRequest
from headrace.edge.service.forwarded_fields import shared_request_fields
from headrace.http import cdn_loop
from headrace.http.message import Field, Headers
from headrace.upstream.request_fields import ANYONE, PreparedFields

_OF_ONE = frozenset((b"authorization", b"via", cdn_loop.FIELD))
_MOST = 256
"""Prepared fields of one service: clients choose what they accept."""
_LONGEST_BYTES = 256


def origin_fields(asked: FillRequest, node_id: str, cdn_name: str) -> list[Field]:
    """Return the fields, without those that name the slices.

    What completes a stored response is shared as that is: it is asked for with a client's
    credentials only if that response says that they do not matter.
    """
    resource = asked.resource
    fields = shared_request_fields(
        resource.service,
        resource.rules,
        asked.request,
        asked.variant,
        asked.client_address,
        node_id,
        cdn_name,
    )
    stored = asked.slices.stored
    if (
        stored is not None
        and not asked.slices.validate
        and not credentials_may_fill(Headers(stored.headers), resource.rules)
    ):
        fields = [field for field in fields if field[0] != b"authorization"]
    return fields


def prepared_fields(asked: FillRequest, node_id: str, cdn_name: str) -> PreparedFields:
    """Return `origin_fields` of what nobody has variants of yet, prepared: once for all requests of
    a service for which they are the same but for the client's address.
    """
    resource, request = asked.resource, asked.request
    service, headers = resource.service, request.headers
    named = headers.get(b"accept-encoding"), headers.get(b"accept-language")
    key = None
    if (
        asked.slices is WHOLE
        and not asked.variant
        and not service.unkeyed_fields
        and _OF_ONE.isdisjoint(headers.names())
        and len(request.authority) + sum(map(len, filter(None, named))) <= _LONGEST_BYTES
    ):
        key = (request.authority, request.scheme, request.version, id(resource.rules), named)
        known = service.prepared.get(key)
        if known is not None:
            return known
    whoever = msgspec.structs.replace(asked, client_address=ANYONE)
    made = PreparedFields(origin_fields(whoever, node_id, cdn_name))
    if key is not None:
        if len(service.prepared) >= _MOST:
            service.prepared.clear()
        service.prepared[key] = made
    return made
