"""Heads without what the servers of a network say of themselves to each other."""

from __future__ import annotations

from msgspec.structs import replace

from headrace.http.fields import PEER_FIELD
from headrace.http.parser import PLAIN_OPTIONS, SPECIAL, RequestHead


def without_peer_field(head: RequestHead) -> RequestHead:
    """Return a head as if it had come without what servers say of themselves to each other."""
    headers = head.headers.without((PEER_FIELD,))
    special = [
        name
        for name, value in headers
        if name in SPECIAL and not (name == b"connection" and value.lower() in PLAIN_OPTIONS)
    ]
    lone = headers.get(b"range") if special == [b"range"] else None
    return replace(head, headers=headers, plain=not special, lone_range=lone)
