"""The fields an edge adds and removes between client and origin (RFC 9110 section 7.6). Pure.

A request whose answer others may get is made by `shared_request_fields`, from a list of what may
be in it (see `cache.presenting` for the invariant); one whose answer is the client's alone by
`passed_request_fields`, from the client's fields less a list. In both, a name that gateways fold
into another never passes.
"""

from __future__ import annotations

from headrace.cache.presented_fields import (
    NEGOTIATED,
    fields_of_variant,
    headers_asked,
    is_plain_name,
    names_of_variant,
    overrides,
)
from headrace.cache.rules import CacheRules
from headrace.edge.service.services import Service
from headrace.http import cdn_loop, via
from headrace.http.fields import HOP_BY_HOP, PEER_FIELD, hop_by_hop
from headrace.http.message import Field, Headers, Request
from headrace.http.validators import CONDITIONS

# Answered by the edge itself, or a matter of each connection.
_NEVER_FORWARDED = frozenset(
    (
        b"host", b"content-length", b"expect", b"via", b"te", b"trailer", cdn_loop.FIELD,
        PEER_FIELD,
    )
)  # fmt: skip
FORWARDING = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))
# What says nothing of the representation that a client wants.
_IDLE = CONDITIONS | frozenset(
    (
        b"cache-control", b"dnt", b"pragma", b"priority", b"range", b"sec-gpc",
        b"upgrade-insecure-requests",
    )
)  # fmt: skip
_IDLE_PREFIXES = (b"cmcd-", b"sec-websocket-")


def nominates(headers: Headers) -> bool:
    """Return whether Connection names fields of this request that are not a matter of the hop.

    They end here (RFC 9110 section 7.6.1), so the origin would see another request than the one
    that variants are chosen by: its answer is for this client alone.
    """
    return any(name in headers for name in hop_by_hop(headers) - HOP_BY_HOP)


def passed_request_fields(
    service: Service, request: Request, client_address: str, node_id: str, cdn_name: str = ""
) -> list[Field]:
    """Return a request's fields for an answer that is this client's alone, Host first: the
    client's, or empty. `cdn_name` is ours in CDN-Loop ("": the node's id).
    """
    headers = request.headers
    dropped = hop_by_hop(headers) | _NEVER_FORWARDED
    fields: list[Field] = [(b"host", request.authority)]
    for name, value in headers:
        if name in dropped or not is_plain_name(name):
            continue
        if name in FORWARDING:
            if service.forwarded:
                continue
        elif overrides(name) and not service.names(name):
            continue
        fields.append((name, value))
    if service.forwarded:
        chain = headers.get(b"x-forwarded-for")
        address = address_bytes(client_address)
        fields.append((b"x-forwarded-for", chain + b", " + address if chain else address))
        fields.append((b"x-forwarded-proto", request.scheme))
        if request.authority:
            fields.append((b"x-forwarded-host", request.authority))
    fields += _way(request, node_id, cdn_name)
    return fields


def shared_request_fields(
    service: Service,
    rules: CacheRules,
    request: Request,
    variant: bytes,
    client_address: str,
    node_id: str,
    cdn_name: str = "",
) -> list[Field]:
    """Return a request's fields for an answer that others may get, Host first (empty: the
    origin's own).

    Conditions and ranges are the caller's. Credentials go along, for it is the origin's word that
    lets an answer to them be shared (RFC 9111 section 3.5); Cookie does not, unless it is part of
    the variant.
    """
    headers = request.headers
    host = _shared_host(service, request)
    fields: list[Field] = [(b"host", host)]
    in_variant = names_of_variant(variant)
    if b"user-agent" not in in_variant:
        fields.append((b"user-agent", b"headrace"))
    if b"accept" not in in_variant:
        fields.append((b"accept", b"*/*"))
    fields += [
        field
        for field in headers_asked(variant, headers, rules)
        if not overrides(field[0]) or service.names(field[0])
    ]
    for name in sorted(service.unkeyed_fields | {b"authorization"}):
        if name not in in_variant:
            fields = _replaced(fields, name, headers.all(name))
    if service.forwarded:
        fields = [field for field in fields if field[0] not in FORWARDING]
        fields.append((b"x-forwarded-for", address_bytes(client_address)))
        if service.key_rules.scheme:
            fields.append((b"x-forwarded-proto", request.scheme))
        if host:
            fields.append((b"x-forwarded-host", host))
    fields += _way(request, node_id, cdn_name)
    return fields


def asks_the_same(service: Service, request: Request, variant: bytes) -> bool:
    """Return whether the shared form of a request says all that the client says, so that the
    answer to either is the answer to both.
    """
    if service.forwarded and not (service.key_rules.scheme and service.key_rules.host):
        return False
    headers = request.headers
    shared = dict(fields_of_variant(variant))
    dropped = hop_by_hop(headers) | _NEVER_FORWARDED | _IDLE
    free = service.unkeyed_fields | {b"authorization"}
    for name, value in headers:
        if (
            name in dropped
            or name in free
            or not is_plain_name(name)
            or name.startswith(_IDLE_PREFIXES)
        ):
            continue
        if name in NEGOTIATED or (name == b"accept" and (value == b"*/*" or name in shared)):
            continue  # in other words
        if overrides(name) and name not in FORWARDING and not service.names(name):
            continue
        if shared.get(name) != headers.get(name):
            return False
    return True


def _replaced(fields: list[Field], name: bytes, values: list[bytes]) -> list[Field]:
    if not values:
        return fields
    others = [field for field in fields if field[0] != name]
    return [*others, *((name, value) for value in values)]


def _shared_host(service: Service, request: Request) -> bytes:
    """Return the client's host if answers are kept apart by it, else always the same one."""
    return request.authority if service.key_rules.host else service.first_host


def address_bytes(client_address: str) -> bytes:
    """Return a client's address as X-Forwarded-For has it."""
    return client_address.encode("ascii", "replace") or b"unknown"


def _way(request: Request, node_id: str, cdn_name: str) -> list[Field]:
    """Return Via and CDN-Loop with our own names added."""
    own = via.hop(request.version, node_id.encode())
    loop = cdn_loop.with_own(request.headers.get(cdn_loop.FIELD), (cdn_name or node_id).encode())
    return [(b"via", via.request_via(request.headers.get(b"via"), own)), (cdn_loop.FIELD, loop)]


def passed_response_fields(headers: Headers, version: tuple[int, int], node_id: str) -> list[Field]:
    """Return a response's fields for the client: hop-by-hop and framing removed, Via added."""
    dropped = hop_by_hop(headers) | {b"content-length", b"trailer"}
    fields = [field for field in headers if field[0] not in dropped]
    via.add_to_response(fields, via.hop(version, node_id.encode()))
    return fields


def with_date(fields: list[Field], date: bytes) -> list[Field]:
    """Return the fields, with a Date if the origin sent none (RFC 9110 section 6.6.1)."""
    if not any(name == b"date" for name, _value in fields):
        fields.append((b"date", date))
    return fields


def in_loop(headers: Headers, node_id: str, cdn_name: str = "", most: int = 0) -> bool:
    """Return whether this request has come through this node before, or through our network more
    than `most` times.
    """
    if via.names(headers.get(b"via"), node_id.encode()):
        return True
    return cdn_loop.is_loop(headers.get(cdn_loop.FIELD), (cdn_name or node_id).encode(), most)
