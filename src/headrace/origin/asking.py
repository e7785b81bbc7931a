"""A request as one origin is to see it. Pure."""

from __future__ import annotations

from headrace.http.message import Field
from headrace.origin.pool import Origin
from headrace.origin.signing import signed


def fields_for(
    origin: Origin, method: bytes, target: bytes, fields: list[Field], now: float
) -> list[Field]:
    """A request's fields as this origin is to see them: its Host, its headers, its signature."""
    host = origin.host if origin.host is not None else fields[0][1]
    found = [(b"host", host or origin.endpoint.authority), *fields[1:]]
    if origin.headers:
        own = {name for name, _value in origin.headers}
        found = [field for field in found if field[0] not in own or field[0] == b"host"]
        found += origin.headers
    if origin.credentials is not None:
        found = signed(origin.credentials, method, origin.endpoint.prefix + target, found, now)
    return found
