"""A request as one origin is to see it. Pure."""

from __future__ import annotations

from headrace.http.message import Field
from headrace.upstream.pool import Origin
from headrace.upstream.signable import FRAMING, Refusal, signed_fields
from headrace.upstream.signing import refused, signed


def fields_for(
    origin: Origin, method: bytes, target: bytes, fields: list[Field], now: float
) -> list[Field]:
    """Return a request's fields as this origin is to see them: its Host, its headers, its
    signature.

    Raises NotSigned. Where requests are signed, Host is never the client's: it may name a bucket.
    """
    found = _unsigned(origin, fields)
    if origin.credentials is not None:
        prefix = origin.endpoint.prefix
        found = signed(origin.credentials, method, target, found, now, prefix=prefix)
    return found


def why_not_signed(
    origin: Origin, method: bytes, target: bytes, fields: list[Field]
) -> Refusal | None:
    """Return why `fields_for` would refuse, or None."""
    if origin.credentials is None:
        return None
    prefix = origin.endpoint.prefix
    return refused(origin.credentials, method, prefix, target, _unsigned(origin, fields))


def _unsigned(origin: Origin, fields: list[Field]) -> list[Field]:
    signs = origin.credentials is not None
    host = origin.host
    if host is None:
        host = b"" if signs else fields[0][1]
    others = fields[1:]
    if signs:
        framing = [field for field in others if field[0] in FRAMING]
        others = signed_fields(others) + framing
    found = [(b"host", host or origin.endpoint.authority), *others]
    if origin.headers:
        own = {name for name, _value in origin.headers}
        found = [field for field in found if field[0] not in own or field[0] == b"host"]
        found += origin.headers
    return found
