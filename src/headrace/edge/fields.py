"""The fields an edge adds and removes between client and origin (RFC 9110 section 7.6). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.edge.sites import Site
from headrace.http.fields import HOP_BY_HOP, hop_by_hop
from headrace.http.message import Field, Headers, Request

# Answered by the edge itself, or a matter of each connection.
_NEVER_FORWARDED = frozenset((b"host", b"content-length", b"expect", b"via"))
_CONDITIONS = frozenset(
    (
        b"if-none-match",
        b"if-modified-since",
        b"if-match",
        b"if-unmodified-since",
        b"if-range",
        b"range",
    )
)
FORWARDING = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))
# Fields by which some origins let a client choose another resource, host or method. In a fetch
# whose answer is shared they would let one client choose for all.
_NOT_SHARED = FORWARDING | frozenset(
    (
        b"forwarded",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-host",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-host",
        b"x-original-url",
        b"x-rewrite-url",
    )
)


def is_cmcd(name: bytes) -> bool:
    """Whether a request field carries Common Media Client Data (CTA-5004)."""
    return name.startswith(b"cmcd-")


def nominates(headers: Headers) -> bool:
    """Whether Connection names fields of this request that are not a matter of the hop.

    They end here (RFC 9110 section 7.6.1), so the origin would see another request than the one
    that variants are chosen by: its answer is for this client alone.
    """
    return any(name in headers for name in hop_by_hop(headers) - HOP_BY_HOP)


def forwarded_request_fields(
    site: Site, request: Request, client_address: str, server_name: str, *, for_cache: bool
) -> list[Field]:
    """The request's fields as the origin is to see them, Host first: the client's, or empty.

    With `for_cache`, conditions and ranges are left out (the caller asks for what the cache
    needs), and so is what must not shape a shared answer: CMCD.
    """
    headers = request.headers
    dropped = hop_by_hop(headers) | _NEVER_FORWARDED | {b"te", b"trailer"}
    fields: list[Field] = [(b"host", request.authority)]
    for name, value in headers:
        if name in dropped:
            continue
        if for_cache and (name in _CONDITIONS or name in _NOT_SHARED or is_cmcd(name)):
            continue
        if site.forwarded and name in FORWARDING:
            continue
        fields.append((name, value))
    if site.forwarded:
        fields += _forwarding(request, client_address)
    fields.append((b"via", via(headers, request.version, server_name)))
    return fields


def _forwarding(request: Request, client_address: str) -> list[Field]:
    chain = request.headers.get(b"x-forwarded-for")
    address = client_address.encode("ascii", "replace") or b"unknown"
    fields = [
        (b"x-forwarded-for", chain + b", " + address if chain else address),
        (b"x-forwarded-proto", request.scheme),
    ]
    if request.authority:
        fields.append((b"x-forwarded-host", request.authority))
    return fields


def via(headers: Headers, version: tuple[int, int], server_name: str) -> bytes:
    """The Via field with this hop added (RFC 9110 section 7.6.3)."""
    own = b"%d.%d %s" % (*version, server_name.encode())
    before = headers.get(b"via")
    return before + b", " + own if before else own


def passed_response_fields(
    headers: Headers, version: tuple[int, int], server_name: str
) -> list[Field]:
    """A response's fields for the client: hop-by-hop and framing removed, Via added."""
    dropped = hop_by_hop(headers) | {b"content-length", b"via", b"trailer"}
    fields = [field for field in headers if field[0] not in dropped]
    fields.append((b"via", via(headers, version, server_name)))
    return fields


def with_date(fields: list[Field], date: bytes) -> list[Field]:
    """The fields, with a Date if the origin sent none (RFC 9110 section 6.6.1)."""
    if not any(name == b"date" for name, _value in fields):
        fields.append((b"date", date))
    return fields


def in_loop(headers: Headers, server_name: str, limit: int = 8) -> bool:
    """Whether this request has come through this edge too often already."""
    via_value = headers.get(b"via")
    if via_value is None:
        return False
    own = server_name.encode()
    return sum(hop.strip().endswith(b" " + own) for hop in via_value.split(b",")) >= limit


def only(fields: Iterable[Field], names: frozenset[bytes]) -> list[Field]:
    """The fields with these names."""
    return [field for field in fields if field[0] in names]
