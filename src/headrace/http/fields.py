"""Field values that are lists, tokens and lengths (RFC 9110 section 5.6). Pure."""

from __future__ import annotations

import re
from typing import Final

from headrace.http.dates import parse_http_date
from headrace.http.message import Headers

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ITEM = re.compile(rb'(?:"(?:[^"\\]|\\.)*"?|[^",])+', re.DOTALL)

PEER_FIELD: Final = b"headrace-peer"
"""What a server of the network says of itself to another one: see `upstream.peering`."""

# RFC 9110 section 7.6.1, and what intermediaries of old left behind.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-authentication-info",
    )
)


def is_token(text: bytes) -> bool:
    """Return whether this is a token (RFC 9110 section 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def split_list(value: bytes) -> list[bytes]:
    """Return the elements of a comma-separated list, quoted strings whole, empty ones dropped."""
    if b'"' not in value:
        return [item for part in value.split(b",") if (item := part.strip(b" \t"))]
    return [item for part in _ITEM.findall(value) if (item := part.strip(b" \t"))]


def hop_by_hop(headers: Headers) -> frozenset[bytes]:
    """Return the names that end at this hop: the known, and those that Connection nominates."""
    value = headers.get(b"connection")
    if value is None:
        return HOP_BY_HOP
    lowered = value.lower()
    if lowered in (b"keep-alive", b"close"):
        return HOP_BY_HOP
    return HOP_BY_HOP | {name for name in split_list(lowered) if is_token(name)}


def persists(connection: list[bytes], version: tuple[int, int]) -> bool:
    """Return whether a connection stays open by its Connection fields, each as it came
    (RFC 9112 section 9.3).
    """
    if not connection:
        return version == (1, 1)
    options = {option.strip().lower() for line in connection for option in line.split(b",")}
    if b"close" in options:
        return False
    return version == (1, 1) or b"keep-alive" in options


def date_field(headers: Headers, name: bytes) -> float | None:
    """Return a field's HTTP date in Unix seconds, or None when it is not there or no date."""
    value = headers.get(name)
    return None if value is None else parse_http_date(value)


def parse_content_length(value: bytes) -> int | None:
    """Return a Content-Length, or None when it is not one (RFC 9110 section 8.6)."""
    if value.isdigit() and len(value) <= 18:
        return int(value)
    return None
