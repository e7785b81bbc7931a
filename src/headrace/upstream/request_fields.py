"""A request as one origin is to see it. Pure."""

from __future__ import annotations

from headrace.http.message import Field
from headrace.http.serializer import field_lines, request_head
from headrace.upstream.pool import Origin
from headrace.upstream.signable import FRAMING, Refusal, signed_fields
from headrace.upstream.signing import refused, signed

ANYONE = "\0"
"""Stands for a client's address in prepared fields: no field can have it."""
_ANYONE = ANYONE.encode()


class PreparedFields:
    """The fields of a GET that many may send alike, `credentialed` with a client's credentials; and
    as lines, for each origin that does not want them signed. ANYONE is in the place of the client's
    address.
    """

    __slots__ = ("_fields", "_lines", "credentialed")

    def __init__(self, fields: list[Field]) -> None:
        self._fields = fields
        self.credentialed = has_credentials(fields)
        self._lines: dict[str, tuple[Origin, bytes, bytes | None]] = {}

    def fields_of(self, address: bytes) -> list[Field]:
        """Return the fields for a client of this address."""
        return [(name, address if value == _ANYONE else value) for name, value in self._fields]

    def head_for(self, origin: Origin, target: bytes, now: float, address: bytes) -> bytes:
        """Return the whole head of a GET of `target` for an origin of one pool. Raises
        NotSigned.
        """
        path = origin.endpoint.prefix + target
        if origin.credentials is not None:
            fields = fields_for(origin, b"GET", target, self.fields_of(address), now)
            return request_head(b"GET", path, fields)
        known = self._lines.get(origin.name)
        if known is None or known[0] is not origin:  # a reload may give a name to another
            lines = field_lines(fields_for(origin, b"GET", target, self._fields, now))
            before, found, behind = lines.partition(_ANYONE)
            known = self._lines[origin.name] = (origin, before, behind if found else None)
        _origin, before, rest = known
        if rest is None:
            return b"GET %s HTTP/1.1\r\n%s\r\n" % (path, before)
        return b"GET %s HTTP/1.1\r\n%s%s%s\r\n" % (path, before, address, rest)


def has_credentials(fields: list[Field]) -> bool:
    """Return whether the fields have a client's credentials."""
    return any(name == b"authorization" for name, _value in fields)


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
